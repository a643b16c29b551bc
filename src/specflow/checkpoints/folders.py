"""Which file of a folder is the checkpoint, and the folders that name steps otherwise.

Beside the weights a training leaves the states of its optimizer, other formats and copies.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from specflow.checkpoints.foreign import foreign_folder
from specflow.checkpoints.parts import are_parts, said_of_parts
from specflow.errors import SpecflowError
from specflow.wiring.names import in_natural_order, some_of

INDEX_SUFFIX = ".index.json"
TORCH_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".tar", ".th")
_KINDS = (
    (".safetensors" + INDEX_SUFFIX,),
    (".safetensors",),
    (".bin" + INDEX_SUFFIX,),
    TORCH_SUFFIXES,
)
_USUAL = ("model", "pytorch_model", "diffusion_pytorch_model", "weights")
_BESIDE = re.compile(
    r"(optim|scheduler|lr_scheduler|scaler|rng_state|random_states|training_args|sampler"
    r"|dataloader|custom_checkpoint)|.*optim_states\.pt$"
)
_COPY = re.compile(r"(^|[-_.])ema([-_.]|$)|^consolidated\.safetensors$|^adapter_model\.")


class Chosen(NamedTuple):
    """The file of a checkpoint, and the other weights in its folder, which are not read."""

    file: Path
    others: tuple[str, ...] = ()


def chosen_in(place: Path) -> Chosen:
    """Return the file to open for a checkpoint: itself, or that of the first kind in its folder.

    A folder of DeepSpeed's steps stands for the one that it calls the latest. States of an
    optimizer, variants ("model.fp16.safetensors" beside "model.safetensors") and averages are not
    chosen, nor are weights in an older format.

    Raises:
        SpecflowError: If a folder has none, or several of the first kind that it has, or parts.
    """
    if not place.is_dir():
        return Chosen(place)
    files = in_natural_order(one.name for one in place.iterdir() if one.is_file())
    known = [name for name in files if name.endswith(sum(_KINDS, ())) and not _BESIDE.match(name)]
    for suffixes in _KINDS:
        found = [name for name in known if name.endswith(suffixes)]
        if found:
            file = found[0] if len(found) == 1 else _main_of(place, found, suffixes)
            return Chosen(place / file, _others(known, file))
    raise SpecflowError(f"{place}: {foreign_folder(place) or _nothing_in(place)}")


def _others(names: Sequence[str], file: str) -> tuple[str, ...]:
    """Return the weights beside the chosen ones: without the shards of its index."""
    is_index = file.endswith(INDEX_SUFFIX)
    shards = f".{file.removesuffix(INDEX_SUFFIX).rpartition('.')[2]}"  # how they end
    return tuple(
        name
        for name in names
        if name != file and not (is_index and name.endswith(shards) and not _COPY.search(name))
    )


def latest_in(place: Path) -> str | None:
    """Return the folder that a folder of DeepSpeed calls its latest step; None if it calls none."""
    note = place / "latest"
    if not note.is_file() or note.stat().st_size > 255:
        return None
    name = note.read_text(errors="replace").strip()
    return name if name == Path(name).name and (place / name).is_dir() else None


def revisions_in(place: Path) -> dict[str, str]:
    """Return the snapshots in a cache of the hub, below its folder, by the names of revisions.

    Those that no name leads to are called by their hash.
    """
    snapshots = in_natural_order(one.name for one in (place / "snapshots").iterdir())
    names = _names_of_hashes(place)
    return {name: hash_ for hash_ in snapshots for name in (names.get(hash_, hash_),)}


def revision_of(path: Path) -> tuple[Path, str] | None:
    """Return the snapshot of a cache of the hub in which a path lies, and what it is called."""
    for folder in (path, *path.parents):
        if folder.parent.name == "snapshots" and (folder.parent.parent / "refs").is_dir():
            return folder, _names_of_hashes(folder.parent.parent).get(folder.name, folder.name)
    return None


def _names_of_hashes(place: Path) -> dict[str, str]:
    """Return the name of each snapshot: of several, one with a number."""
    refs = place / "refs"
    names: dict[str, str] = {}
    for ref in sorted(refs.rglob("*")) if refs.is_dir() else ():
        name = ref.relative_to(refs).as_posix()
        if ref.is_file() and ref.stat().st_size < 255 and not name.startswith(("pr/", "convert/")):
            hash_ = ref.read_text(errors="replace").strip()
            if hash_ not in names or re.search("[0-9]", name):
                names[hash_] = name
    return names


def _main_of(folder: Path, names: Sequence[str], suffixes: Sequence[str]) -> str:
    """Return the one of several files that is the network itself.

    Raises:
        SpecflowError: If that is open.
    """
    if are_parts(names):
        raise SpecflowError(f"{folder}: has {said_of_parts(names)}")
    usual = [f"{stem}{suffix}" for stem in _USUAL for suffix in suffixes]
    plain = [name for name in names if not _is_variant(name, names) and not _COPY.search(name)]
    found = [name for name in usual if name in names] or plain
    if len(found) != 1:
        listed = some_of(names)
        raise SpecflowError(f"{folder}: has {listed}; expected one checkpoint, name the file")
    return found[0]


def _is_variant(name: str, names: Sequence[str]) -> bool:
    """Return whether a name is another's with a further part: model.fp16.safetensors."""
    stem, _, suffix = name.rpartition(".")
    return f"{stem.rpartition('.')[0]}.{suffix}" in names


def _nothing_in(place: Path) -> str:
    inner = in_natural_order(one.name for one in place.iterdir() if one.is_dir())
    within = f", such as {some_of(inner, 3)}, or a pattern of these" if inner else ""
    return f"a folder without a checkpoint; expected one in it{within}"
