"""Checkpoints in files of any kind: which they are, and the step of each."""

import glob
import hashlib
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from specflow.checkpoints.base import Infos, Step, Tensors
from specflow.checkpoints.kept_steps import TrajectoryCheckpoints
from specflow.checkpoints.network import structure_beside
from specflow.checkpoints.opening import INDEX_SUFFIX, file_of, files_of, kind_of, open_checkpoint
from specflow.checkpoints.remote import Published, RemoteStep
from specflow.checkpoints.remote_names import steps_at
from specflow.checkpoints.remote_places import is_url
from specflow.errors import SpecflowError
from specflow.scratch import state_of
from specflow.section import Index, Section, Text
from specflow.wiring.names import in_natural_order, some_of
from specflow.wiring.structure import Layer, Structure

_SHARD = re.compile(r"-[0-9]+-of-[0-9]+\.[a-z]+$")
_NAMED_STEP = re.compile(r"(?:step|checkpoint|ckpt|iter|iteration)s?[-_=]?([0-9]+)", re.IGNORECASE)
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
        path: A file, the folder of a checkpoint, or a glob pattern of these; or of safetensors a
            URL, https://host/path or hf://org/name@revision, in which {0,1000} and
            {0..5000..1000} stand for several, and * in a revision for all that match.
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
            means the one number in which the paths differ.
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
    """

    def __init__(self, params: FilesParams, root: Path) -> None:
        """Find the steps, relative to the folder `root`; no file but trajectories is read.

        A hub is asked for its revisions.

        Raises:
            SpecflowError: If a pattern matches nothing, a step cannot be told, or two files have
                one.
        """
        self._files, self._key = find_steps(params, root), params.key
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

    def structure(self, tensors: Infos) -> Structure:
        """Return what is known of the network, whose tensors are given, beside names and shapes.

        Trajectories tell which parameters lie transposed; of other files a config.json beside.

        Raises:
            SpecflowError: If what lies beside is broken.
        """
        own = [name for run in self._trajectories.values() for name in run.transposed]
        if self._trajectories:
            return Structure("a trajectory", layers={n: Layer("conv", True) for n in own})
        return structure_beside(self._files[-1].path, tensors)

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

    def published(self, index: int) -> Sequence[Published] | None:
        """Return what a hub says of all files of the step number `index`; None if none has it."""
        path = self._files[index].path
        known = path.published if isinstance(path, RemoteStep) else None
        return None if known is None else tuple(known.values())

    def fingerprint(self) -> str:
        """Return a SHA-256 of steps, places, sizes and times (or hashes) of all files."""
        digest = hashlib.sha256(f"{self._key}\n".encode())
        for file in self._files:
            digest.update(f"{file.step} {file.index}\n".encode())
            if isinstance(file.path, RemoteStep):
                digest.update(file.path.fingerprint().encode())
                continue
            for path in files_of(file.path):
                digest.update(f"{state_of(path.resolve())}\n".encode())
        return digest.hexdigest()


def find_steps(params: FilesParams, root: Path) -> list[StepFile]:
    """Return all steps of a network's training, ascending, each once.

    Raises:
        SpecflowError: As for `FileCheckpoints`.
    """
    steps: list[StepFile] = []
    files: dict[str, Place] = {}
    for given in params.files:
        if given.step is not None:
            steps.append(_given_step(_place(given.path, root), given.step))
        elif is_url(given.path):
            files |= steps_at(given.path)
        else:
            files |= {name: file_of(root / name) for name in _matches(given.path, root)}
    single = []
    for name, path in files.items():
        if isinstance(path, Path) and kind_of(path) == "trajectory":
            steps += [StepFile(step, path, index) for index, step in enumerate(_kept_steps(path))]
        else:
            single.append(name)
    found = _steps_of(single, params.step_from)
    steps += [StepFile(step, files[name], None) for name, step in found.items()]
    steps.sort(key=lambda file: file.step)
    _check(steps)
    return steps


def _check(steps: Sequence[StepFile]) -> None:
    last = steps[-1]
    if last.step > _LAST_STEP:
        raise SpecflowError(f"{last.path}: step {last.step}; expected at most {_LAST_STEP}")
    for before, after in pairwise(steps):
        if before.step == after.step:
            raise SpecflowError(
                f"{before.path}, {after.path}: both are step {after.step}; expected one file a step"
            )


def _place(path: str, root: Path) -> Place:
    if not is_url(path):
        return file_of(root / path)
    found = list(steps_at(path).values())
    if len(found) != 1:
        raise SpecflowError(f"{found[0]}: one of {len(found)} of one step; expected one a step")
    return found[0]


def _given_step(path: Place, step: int) -> StepFile:
    if isinstance(path, RemoteStep) or kind_of(path) != "trajectory":
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


def _steps_of(names: list[str], step_from: str | None) -> dict[str, int]:
    for name in names:
        if _SHARD.search(name):  # its number would pass for a step
            raise SpecflowError(
                f"{name}: a shard; expected its index (*{INDEX_SUFFIX}) or its folder"
            )
    if step_from is None:
        return _differing_numbers(names)
    steps = {}
    for name in names:
        match = re.search(step_from, name)
        if match is None or not (match[1] or "").isdecimal():
            got = "does not match" if match is None else f"gives {match[1]!r}"
            raise SpecflowError(f"{name}: step_from {step_from!r} {got}; expected a whole number")
        steps[name] = int(match[1])
    return steps


def _differing_numbers(names: list[str]) -> dict[str, int]:
    """Return the one number of each name in which the names differ.

    Names that differ in no number are numbered in the order given; a single one may name its step.

    Raises:
        SpecflowError: If they differ in several numbers, or in numbers and in text.
    """
    if len(names) == 1 and (named := _NAMED_STEP.findall(names[0])):
        return {names[0]: int(named[-1])}
    parts = [re.split(r"([0-9]+)", name) for name in names]
    numbers = [tuple(map(int, part[1::2])) for part in parts]
    if len(set(numbers)) <= 1:
        return {name: place for place, name in enumerate(names)}
    texts = {tuple(part[::2]) for part in parts}
    columns = list(zip(*numbers, strict=True)) if len(texts) == 1 else []
    differing = [column for column in columns if len(set(column)) > 1]
    if len(differing) != 1:
        raise SpecflowError(
            f"{some_of(names, 2)}: names that do not differ in one number alone; expected "
            "step_from (--step-from), or path and step of each"
        )
    return dict(zip(names, differing[0], strict=True))
