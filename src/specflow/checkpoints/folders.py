"""Which file of a folder is the checkpoint, and the folders that name steps otherwise.

Beside the weights a training leaves the states of its optimizer, other formats and copies.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from specflow.checkpoints.foreign import foreign_folder
from specflow.checkpoints.parts import are_parts, said_of_parts
from specflow.errors import SpecflowError, some_of
from specflow.wiring.names import in_natural_order

INDEX_SUFFIX = ".index.json"
TORCH_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".tar", ".th")
SAFETENSORS = ((".safetensors" + INDEX_SUFFIX,), (".safetensors",))
_KINDS = (
    *SAFETENSORS,
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


def holds_weights(name: str) -> bool:
    """Return whether a file is one of weights by its name, or an index of some."""
    return name.endswith(sum(_KINDS, ())) and not _BESIDE.match(name)


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
    file = chosen_of(place, files, _KINDS)
    if file is None:
        raise SpecflowError(f"{place}: {foreign_folder(place) or _nothing_in(place)}")
    return Chosen(place / file, _others(list(filter(holds_weights, files)), file))


def chosen_of(
    place: str | Path, names: Sequence[str], kinds: Sequence[tuple[str, ...]]
) -> str | None:
    """Return the name, of those in one folder, of the checkpoint; None if there is none.

    Raises:
        SpecflowError: If there are several of the first kind that is there, or parts.
    """
    known = list(filter(holds_weights, names))
    for suffixes in kinds:
        found = [name for name in known if name.endswith(suffixes)]
        if found:
            return found[0] if len(found) == 1 else _main_of(place, found, suffixes)
    return None


def _others(names: Sequence[str], file: str) -> tuple[str, ...]:
    """Return the weights beside the chosen ones: without the shards of its index."""
    is_index = file.endswith(INDEX_SUFFIX)
    shards = f".{file.removesuffix(INDEX_SUFFIX).rpartition('.')[2]}"  # how they end
    return tuple(
        name
        for name in names
        if name != file and not (is_index and name.endswith(shards) and not _COPY.search(name))
    )


def places_at(name: str, root: Path, notes: list[str]) -> dict[str, Path]:
    """Return the checkpoints in a place, each by a name that tells its step; add to notes.

    A network in the hub's cache has one for each named revision.

    Raises:
        SpecflowError: If it has several without a name.
    """
    place = root / name
    if (place / "snapshots").is_dir():
        revisions = _revisions_in(place)
        named = {one: at for one, at in revisions.items() if one != at and re.search("[0-9]", one)}
        if len(revisions) > 1 and not named:
            raise SpecflowError(f"{place}: has {some_of(revisions)}; expected one of snapshots/*")
        if others := [one for one in revisions if named and one not in named]:
            notes.append(f"{place}: revisions with a number are read, and not {some_of(others)}")
        chosen = named or revisions
        return {f"{name}/{label}": place / "snapshots" / at for label, at in chosen.items()}
    if latest := _latest_in(place):
        return {f"{name}/{latest}": place / latest}
    if found := _revision_of(place):
        folder, label = found
        return {name.replace(folder.name, label): place}
    return {name: place}


def only_at(name: str, root: Path) -> Path:
    """Return the one checkpoint in a place.

    Raises:
        SpecflowError: If it has several.
    """
    found = places_at(name, root, [])
    if len(found) != 1:
        raise SpecflowError(f"{root / name}: has {some_of(found)}; expected one checkpoint")
    return next(iter(found.values()))


def _latest_in(place: Path) -> str | None:
    """Return the folder that a folder of DeepSpeed calls its latest step; None if it calls none."""
    note = place / "latest"
    if not note.is_file() or note.stat().st_size > 255:
        return None
    name = note.read_text(errors="replace").strip()
    return name if name == Path(name).name and (place / name).is_dir() else None


def _revisions_in(place: Path) -> dict[str, str]:
    """Return the snapshots in a cache of the hub, below its folder, by the names of revisions.

    Those that no name leads to are called by their hash.
    """
    snapshots = in_natural_order(one.name for one in (place / "snapshots").iterdir())
    names = _names_of_hashes(place)
    return {name: hash_ for hash_ in snapshots for name in (names.get(hash_, hash_),)}


def _revision_of(path: Path) -> tuple[Path, str] | None:
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


def _main_of(folder: str | Path, names: Sequence[str], suffixes: Sequence[str]) -> str:
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
        steps = f"'{folder}/*{PurePath(names[0]).suffix}'"
        ways = f"name the file, or of several steps a pattern, such as {steps}"
        raise SpecflowError(f"{folder}: has {some_of(names)}; expected one checkpoint: {ways}")
    return found[0]


def _is_variant(name: str, names: Sequence[str]) -> bool:
    """Return whether a name is another's with a further part: model.fp16.safetensors."""
    stem, _, suffix = name.rpartition(".")
    return f"{stem.rpartition('.')[0]}.{suffix}" in names


def _nothing_in(place: Path) -> str:
    inner = in_natural_order(one.name for one in place.iterdir() if one.is_dir())
    within = f", such as {some_of(inner, 3)}, or a pattern of these" if inner else ""
    return f"a folder without a checkpoint; expected one in it{within}"
