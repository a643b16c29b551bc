"""Checkpoints in files of any kind: which they are, and the step of each."""

import glob
import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field

from specflow.checkpoints.base import Infos, Step, Tensors
from specflow.checkpoints.beside import TOLD_BY
from specflow.checkpoints.broken import Broken
from specflow.checkpoints.folders import chosen_in, only_at, places_at
from specflow.checkpoints.kept_steps import TrajectoryCheckpoints
from specflow.checkpoints.network import config_beside, structure_beside
from specflow.checkpoints.opening import files_of, kind_of, open_checkpoint
from specflow.checkpoints.parts import check_names_whole, check_whole
from specflow.checkpoints.remote.names import in_order, step_at, steps_at
from specflow.checkpoints.remote.places import is_url
from specflow.checkpoints.remote.step import Published, RemoteStep
from specflow.checkpoints.steps import steps_by_pattern, steps_of
from specflow.errors import SpecflowError, some_of
from specflow.scratch import state_of
from specflow.section import Index, Section, Text
from specflow.wiring.names import in_natural_order
from specflow.wiring.structure import Layer, Structure

_GIVEN_STEP = re.compile(r"([0-9]{1,13})=(.+)", re.DOTALL)
_LAST_STEP = 2**63 - 1  # results keep steps in 64 bits


def _one_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"expected a regular expression ({error})") from error
    if groups != 1:
        raise ValueError(f"expected one group for the step, as in 'step(\\d+)'; there are {groups}")
    return pattern


def _as_section(file: Any) -> Any:
    return {"path": file} if isinstance(file, str) else file


class FileParams(Section):
    """Checkpoints; in YAML a path or pattern alone will do.

    Attributes:
        path: A file, the folder of a checkpoint, a network's folder in the hub's cache, whose
            named revisions are steps, or a glob pattern of these; or of safetensors a URL,
            https://host/path or hf://org/name@revision, in which {0,1000} and {0..5000..1000}
            stand for several, and * in a revision for all that match.
        step: Its step; of a trajectory, the kept step that is meant; null tells the step by the
            name, and means all kept steps of a trajectory.
    """

    path: Text
    step: Index | None = None


_Given = BeforeValidator(_as_section, json_schema_input_type=Text | FileParams)


class FilesParams(Section):
    """Where the checkpoints of one network are.

    Attributes:
        files: Where the checkpoints are.
        step_from: Regular expression whose one group is the step, searched in each path; null
            means the one number in which the paths differ, or that follows "step", "iter",
            "checkpoint" or "epoch".
        key: Where the weights are in a PyTorch checkpoint, with dots ("state_dict"); null finds
            them under the usual keys.
    """

    files: Annotated[tuple[Annotated[FileParams, _Given], ...], Field(strict=False, min_length=1)]
    step_from: Annotated[Text, AfterValidator(_one_group)] | None = None
    key: Text | None = None


Place = Path | RemoteStep


@dataclass(frozen=True)
class StepFile:
    """Where one step lies; in a trajectory, at the kept step number `index`."""

    step: int
    path: Place
    index: int | None


class FileCheckpoints:
    """The steps of one network's training in files (`Checkpoints`).

    Attributes:
        steps: The steps, ascending; epochs are known of trajectories alone.
        notes: How steps were told where their names do not say it, and which weights in their
            folders are not read; a sentence each.
    """

    def __init__(self, params: FilesParams, root: Path) -> None:
        """Find the steps, relative to the folder `root`; no file but trajectories is read.

        Raises:
            SpecflowError: If a pattern matches nothing, a step cannot be told, or two files have
                one.
        """
        self._files, self.notes = find_steps(params, root)
        self._key = params.key
        paths = dict.fromkeys(file.path for file in self._files if file.index is not None)
        self._trajectories: dict[Place, TrajectoryCheckpoints] = {
            path: TrajectoryCheckpoints(path) for path in paths if isinstance(path, Path)
        }
        self.steps = tuple(
            Step(file.step, None, str(file.path))
            if file.index is None
            else self._trajectories[file.path].steps[file.index]
            for file in self._files
        )

    @property
    def on_disk(self) -> bool:
        """Whether every step is a file here, which other processes can open too."""
        return all(isinstance(file.path, Path) for file in self._files)

    def structure(self, tensors: Infos) -> Structure:
        """Return what is known of the network, whose tensors are given, beside names and shapes.

        Trajectories tell which parameters lie transposed; of other files a config.json beside.

        Raises:
            SpecflowError: If what lies beside is broken.
        """
        own = [name for run in self._trajectories.values() for name in run.transposed]
        if self._trajectories:
            return Structure("a trajectory", layers={n: Layer(True) for n in own})
        return structure_beside(self._files[-1].path, tensors)

    def config(self) -> Mapping[str, Any]:
        """Return what the config.json beside the last step says; empty without one.

        Raises:
            SpecflowError: If it is broken.
        """
        return {} if self._trajectories else config_beside(self._files[-1].path) or {}

    def open(self, index: int) -> AbstractContextManager[Tensors]:
        """Open the step number `index` (from 0) for reading; nothing in it is executed.

        Raises:
            SpecflowError: On entering, if the file is missing, damaged, would have to execute
                code, or has a tensor whose name is no HDF5 path.
        """
        file = self._files[index]
        if isinstance(file.path, RemoteStep):
            return file.path.open()
        if file.index is None:
            return open_checkpoint(file.path, self._key)
        return self._trajectories[file.path].open(file.index)

    def published(self, index: int) -> Mapping[str, Published] | None:
        """Return what a hub says of all files of a step, by place; None if no hub has it."""
        path = self._files[index].path
        return path.published if isinstance(path, RemoteStep) else None

    def fingerprint(self) -> str:
        """Return a SHA-256 of steps, places, sizes and times (or hashes) of all files."""
        digest = hashlib.sha256(f"{self._key}\n".encode())
        for file in self._files:
            digest.update(f"{file.step} {file.index}\n".encode())
            if isinstance(file.path, RemoteStep):
                digest.update(file.path.fingerprint().encode())
                continue
            beside = (file.path.parent / name for name in TOLD_BY)
            for path in (*files_of(file.path), *(one for one in beside if one.is_file())):
                digest.update(f"{state_of(path.resolve())}\n".encode())
        return digest.hexdigest()


def given_file(text: str, root: Path) -> str | dict[str, Any]:
    """Return a file as in `FilesParams` from `STEP=PATH`, or from the path alone of one that is."""
    match = _GIVEN_STEP.fullmatch(text)
    if match is None or glob.glob(text, root_dir=root) or (root / text).exists():
        return text
    return {"step": int(match[1]), "path": match[2]}


class FoundSteps(NamedTuple):
    """The steps of a network's training, and notes on how they were found."""

    steps: tuple[StepFile, ...]
    notes: tuple[str, ...]


def find_steps(params: FilesParams, root: Path) -> FoundSteps:
    """Return all steps of a network's training, ascending, each once.

    Raises:
        SpecflowError: As for `FileCheckpoints`.
    """
    steps: list[StepFile] = []
    files: dict[str, Place] = {}
    others: dict[tuple[str, ...], str] = {}  # a folder that has them
    left_out: list[str] = []

    def open_at(path: Path) -> Path:
        file, beside = chosen_in(path)
        check_whole(file)
        if beside:
            others.setdefault(beside, f"{file.parent}: {file.name} is read")
        return file

    for given in params.files:
        if given.step is not None and is_url(given.path):
            steps.append(StepFile(given.step, step_at(given.path), None))
        elif given.step is not None:
            steps.append(_given_step(open_at(only_at(given.path, root)), given.step))
        elif is_url(given.path):
            files |= steps_at(given.path)
        else:
            for name in _matches(given.path, root):
                places = places_at(name, root, left_out)
                files |= {label: open_at(path) for label, path in places.items()}
    single, broken = [], Broken()
    for name, path in files.items():
        with broken.noted():
            if isinstance(path, Path) and kind_of(path) == "trajectory":
                kept = enumerate(_kept_steps(path))
                steps += [StepFile(step, path, index) for index, step in kept]
            else:
                single.append(name)
    broken.check()
    check_names_whole([str(path) for path in files.values() if isinstance(path, RemoteStep)])
    told, notes = _steps_of(single, params, root)
    steps += [StepFile(step, files[name], None) for name, step in told.items()]
    steps.sort(key=lambda file: file.step)
    _check(steps)
    left = (f"{said}, and not {some_of(names)}" for names, said in others.items())
    return FoundSteps(tuple(steps), (*notes, *left_out, *left))


def _steps_of(
    names: list[str], params: FilesParams, root: Path
) -> tuple[Mapping[str, int], tuple[str, ...]]:
    if not names:
        return {}, ()
    if params.step_from is not None:
        return steps_by_pattern(names, params.step_from)
    are_given = all(in_order(f.path) or (root / f.path).exists() for f in params.files)
    return steps_of(names, are_given)


def _check(steps: Sequence[StepFile]) -> None:
    last = steps[-1]
    if last.step > _LAST_STEP:
        raise SpecflowError(f"{last.path}: step {last.step}; expected at most {_LAST_STEP}")
    for before, after in pairwise(steps):
        if before.step == after.step:
            raise SpecflowError(
                f"{before.path}, {after.path}: both are step {after.step}; expected one file a step"
            )


def _given_step(path: Path, step: int) -> StepFile:
    if kind_of(path) != "trajectory":
        return StepFile(step, path, None)
    kept = _kept_steps(path)
    if step not in kept:
        raise SpecflowError(f"{path}: step {step} was not kept; expected one of {kept}")
    return StepFile(step, path, kept.index(step))


def _kept_steps(path: Path) -> list[int]:
    return [step.number for step in TrajectoryCheckpoints(path).steps]


def _matches(pattern: str, root: Path) -> list[str]:
    if (root / pattern).exists():
        return [pattern]
    found = glob.glob(pattern, root_dir=root, recursive=True)
    if not found:
        raise SpecflowError(f"files: {pattern!r} matches nothing in {root}; expected checkpoints")
    return in_natural_order(found)
