"""What is analysed: checkpoints as they are given, and what their tensors are."""

import glob
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import nn

from specflow.checkpoints.base import Checkpoints
from specflow.checkpoints.files import FileCheckpoints, given_file
from specflow.checkpoints.live import LiveCheckpoints, LiveSteps, Weights, are_steps
from specflow.checkpoints.network import structure_of_live
from specflow.checkpoints.stream import contents_of
from specflow.errors import SpecflowError
from specflow.hdf5 import kind_in
from specflow.measure.layouts import LEADING, SPECTRA
from specflow.section_errors import problems_of
from specflow.studies.checkpoints.analysis import wiring_of_files
from specflow.studies.checkpoints.settings import ReadingParams
from specflow.wiring import Wiring
from specflow.wiring.coverage import NoMatrixError
from specflow.wiring.declared import pair_of
from specflow.wiring.fusion import fusion_of
from specflow.wiring.recognize import wiring_of

Source = str | Path | Sequence[str | Path] | Weights

_MEASURED = {
    SPECTRA.kind: "spectra, no weights; `specflow analyze` takes one such file, by its path alone",
    LEADING.kind: "leading values, no weights; those beside a file of spectra are shown with it",
}


def opened(
    source: Source, params: ReadingParams, *, needed: bool = True
) -> tuple[Checkpoints, Wiring]:
    """Return checkpoints and their wiring, one without matrices if none is needed; read no weight.

    Args:
        source: As for `analyze_to`.
        params: How they are read.
        needed: Whether there has to be a matrix.

    Raises:
        SpecflowError: If a checkpoint cannot be read as asked.
    """
    if isinstance(source, nn.Module | Mapping):
        checkpoints: Checkpoints
        if are_steps(source):
            checkpoints, last = LiveSteps(source, params.key), source[max(source)]
        else:
            checkpoints, last = LiveCheckpoints(source, key=params.key), source
        structure = structure_of_live(last) if isinstance(last, nn.Module) else None
        held = contents_of(checkpoints)
        find = partial(wiring_of, held.expected, params, structure, held.unreadable)
    else:
        checkpoints = files_of(params)
        find = partial(wiring_of_files, checkpoints, params)
    try:
        return checkpoints, find()
    except NoMatrixError as error:
        if needed:
            raise SpecflowError(f"{checkpoints.steps[-1].place}: {error}") from error
        return checkpoints, Wiring((), ())


def files_of(params: ReadingParams) -> FileCheckpoints:
    """Return checkpoints on disk.

    Raises:
        SpecflowError: If they are broken, or one has what was measured of weights in place of them.
    """
    try:
        return FileCheckpoints(params, Path())
    except SpecflowError as error:
        for path in [path for file in params.files for path in _matching(file.path)]:
            if (kind := kind_in(path)) in _MEASURED:
                raise SpecflowError(f"{path}: has {_MEASURED[kind]}") from error
        raise


def spectra_in(source: Source) -> Path | None:
    """Return the file of spectra that a source is, None if it is weights or more than one file."""
    given = [source] if isinstance(source, str | Path) else source
    if not isinstance(given, Sequence) or len(given) != 1 or not isinstance(given[0], str | Path):
        return None
    found = _matching(given[0])
    return found[0] if len(found) == 1 and kind_in(found[0]) == SPECTRA.kind else None


def _matching(path: str | Path) -> list[Path]:
    """Return the files that a path or pattern means."""
    return [Path(path)] if Path(path).exists() else [*map(Path, sorted(glob.glob(str(path))))]


def params_of(source: Source, options: Mapping[str, Any]) -> ReadingParams:
    """Return what `analyze_to` is given as parameters.

    Raises:
        SpecflowError: If an option, or what the source is, cannot be right.
    """
    raw = {"files": _files_of(source), **options}
    for key, of_text in (("fused", fusion_of), ("pairs", pair_of)):
        if isinstance(given := raw.get(key), list | tuple):  # text is no list: refused below
            raw[key] = [of_text(one) if isinstance(one, str) else one for one in given]
    try:
        return ReadingParams.model_validate(raw)
    except ValidationError as error:
        raise SpecflowError("; ".join(problems_of(error, ReadingParams, raw))) from error


def _files_of(source: Source) -> list[Any]:
    if isinstance(source, nn.Module | Mapping):
        return ["memory"]
    if isinstance(source, str | Path):
        return [given_file(str(source), Path())]
    several = source if isinstance(source, Sequence) else [source]
    if several is source and all(isinstance(one, str | Path) for one in several):
        return [given_file(str(one), Path()) for one in several]
    kinds = ", ".join(dict.fromkeys(type(one).__name__ for one in several))
    raise SpecflowError(
        f"checkpoints: got {'a list of ' if several is source else ''}{kinds}; expected paths, "
        "patterns, a state dict or a module, or of several steps in memory a dict: "
        "{0: state_dict, 100: other_state_dict}"
    )
