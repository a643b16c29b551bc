"""The checkpoint store: weights, buffers and metrics of one run at every kept step, in one file.

Layout (version 4), T kept steps:
    /step (T,) int64, /epoch (T,) float64
    /weights/<parameter> (T, *shape) float32 and /buffers/<name> (T, *shape), a step a chunk
    /metrics/<split>/<metric> (T,) float64
    /optimizer/<step>/<parameter>/<key>, only at the split steps of the checkpoint plan
    attributes: those of `Origin`
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from specflow.errors import BrokenFileError, SpecflowError
from specflow.hdf5 import Layout, create, open_file, write, write_row

TRAJECTORY = Layout("trajectory", 4)

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Checkpoint:
    """What is kept of one step.

    Attributes:
        step: Number of optimizer steps taken.
        weights: Trained parameters by name, float32.
        buffers: What the network keeps beside them (BatchNorm statistics).
        metrics: Keys are `split/metric`, for example "validation/loss".
        optimizer: Optimizer state of every parameter at a split step, else None.
    """

    step: int
    weights: Arrays
    buffers: Arrays
    metrics: Mapping[str, float]
    optimizer: Mapping[str, Arrays] | None


@dataclass(frozen=True)
class Origin:
    """Where a trajectory comes from.

    Attributes:
        config: Resolved config as JSON.
        seed: Seed of the run's initial weights.
        order_seed: Seed of its data order.
        first_step: The step from which it was trained, beyond 0 for a branch.
        scale: Scale of the perturbation of its start, 0 for none.
        torch: Version of torch that trained it.
        device: Kind of device that trained it.
        environment: Variables that were set of those on which the bits of a result depend.
        fingerprint: Fingerprint of the data.
        transposed: Parameters whose inputs come first, as a JSON list of names.
    """

    config: str
    seed: int
    order_seed: int
    first_step: int
    scale: float
    torch: str
    device: str
    fingerprint: str
    transposed: str = "[]"
    environment: str = ""

    @classmethod
    def of(cls, file: h5py.File) -> "Origin":
        """Return what an open trajectory says of where it comes from."""
        return cls(**{name: kind(file.attrs[name]) for name, kind in cls.__annotations__.items()})


def write_trajectory(
    path: Path,
    origin: Origin,
    steps: list[int],
    steps_per_epoch: int,
    checkpoints: Iterable[Checkpoint],
) -> None:
    """Write a whole trajectory in one session; memory holds one checkpoint at a time.

    Args:
        path: Final place; an incomplete file never lies there.
        origin: Where it comes from.
        steps: The kept steps, ascending.
        steps_per_epoch: Number of optimizer steps of an epoch.
        checkpoints: One a step, in the order of `steps`.

    Raises:
        SpecflowError: If the file cannot be written.
    """
    with create(path, TRAJECTORY, vars(origin)) as file:
        write(file, "step", np.array(steps, dtype=np.int64))
        write(file, "epoch", np.array(steps, dtype=np.float64) / steps_per_epoch)
        metrics = []
        for index, (step, checkpoint) in enumerate(zip(steps, checkpoints, strict=True)):
            assert checkpoint.step == step, (checkpoint.step, step)
            write_row(file.require_group("weights"), checkpoint.weights, index, len(steps))
            write_row(file.require_group("buffers"), checkpoint.buffers, index, len(steps))
            metrics.append(checkpoint.metrics)
            if checkpoint.optimizer is not None:
                _write_optimizer(file, checkpoint.step, checkpoint.optimizer)
        for key in sorted(metrics[0]):
            write(file, f"metrics/{key}", np.array([row[key] for row in metrics]))


def _write_optimizer(file: h5py.File, step: int, state: Mapping[str, Arrays]) -> None:
    group = file.create_group(f"optimizer/{step}")
    for parameter in sorted(state):
        for key in sorted(state[parameter]):
            write(group, f"{parameter}/{key}", state[parameter][key])


class Trajectory:
    """An open trajectory; reads one checkpoint without the rest."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        """Wrap an open and checked file; use `open_trajectory`."""
        self._path, self._file = path, file
        self.steps: list[int] = file["step"][:].tolist()
        self.epochs: list[float] = file["epoch"][:].tolist()
        self.origin = Origin.of(file)

    def weights(self, index: int) -> dict[str, np.ndarray]:
        """Return all weights at the kept step number `index` (negative counts from the end)."""
        return self._read("weights", index)

    def buffers(self, index: int) -> dict[str, np.ndarray]:
        """Return all buffers at the kept step number `index`."""
        return self._read("buffers", index)

    def metrics(self) -> dict[str, np.ndarray]:
        """Return every metric over the kept steps, shape (T,), by `split/metric`."""
        group = self._file["metrics"]
        return {
            f"{split}/{name}": group[split][name][:] for split in group for name in group[split]
        }

    def index_of(self, step: int) -> int:
        """Return which of the kept steps `step` is.

        Raises:
            SpecflowError: If the step was not kept.
        """
        if step not in self.steps:
            raise SpecflowError(f"{self._path}: step {step} was not kept; expected {self.steps}")
        return self.steps.index(step)

    def optimizer(self, step: int) -> dict[str, dict[str, np.ndarray]]:
        """Return the optimizer state at a split step, by parameter and key.

        Raises:
            SpecflowError: If no optimizer state was kept at this step.
        """
        kept = self._file.get("optimizer", {})
        if str(step) not in kept:
            raise SpecflowError(
                f"{self._path}: no optimizer state at step {step}; it is kept at "
                f"{sorted(map(int, kept))}; a step declared in checkpoints.split_steps is added "
                "by training again"
            )
        return {
            parameter: {key: value[()] for key, value in group.items()}
            for parameter, group in kept[str(step)].items()
        }

    def check_data(self, fingerprint: str) -> None:
        """Check that the run was trained on the data at hand, of this fingerprint.

        Raises:
            SpecflowError: If it was trained on others.
        """
        if self.origin.fingerprint != fingerprint:
            raise SpecflowError(
                f"{self._path}: was trained on data of fingerprint {self.origin.fingerprint}; "
                f"expected {fingerprint}; `dvc repro` makes it again"
            )

    def fingerprint_of(self, step: int) -> str:
        """Return a SHA-256 of everything that a branch from a split step continues from.

        Raises:
            SpecflowError: If the step was not kept with its optimizer state.
        """
        index, digest = self.index_of(step), hashlib.sha256()
        states = [self.weights(index), self.buffers(index), *self.optimizer(step).values()]
        for name, array in (item for state in states for item in sorted(state.items())):
            digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def _read(self, group: str, index: int) -> dict[str, np.ndarray]:
        at = range(len(self.steps))[index]
        try:
            return {name: data[at] for name, data in self._file.get(group, {}).items()}
        except OSError as error:
            raise BrokenFileError(self._path, f"damaged at step {self.steps[at]}") from error


@contextmanager
def open_trajectory(path: Path) -> Iterator[Trajectory]:
    """Yield a trajectory, open for reading; errors as of `open_file`."""
    with open_file(path, TRAJECTORY) as file:
        yield Trajectory(path, file)
