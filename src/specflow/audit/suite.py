"""A suite of steps as the audit sees it: what each step holds, and the samples of its tensors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from specflow.audit.findings import WHOLE_STEP, Flag, FlagKind
from specflow.audit.places import Array, squared_distances
from specflow.audit.scan import StepScan
from specflow.checkpoints.stream import Contents
from specflow.errors import some_of

_SHOWN = 3  # names of tensors that have one fault


@dataclass(frozen=True)
class Named:
    """What a check names.

    Attributes:
        flags: What is wrong.
        steps: Places of steps that are wrong as a whole, or like no other.
        tensors: Tensors that are not a step's own at some place.
        doubts: What it cannot tell, a sentence each.
    """

    flags: tuple[Flag, ...] = ()
    steps: frozenset[int] = frozenset()
    tensors: frozenset[str] = frozenset()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suite:
    """Steps, and what the pass over their tensors told; places count steps from 0.

    Attributes:
        steps: The steps, ascending.
        contents: What they hold.
        scans: By place, those of all tensors.
    """

    steps: Sequence[int]
    contents: Contents
    scans: Sequence[StepScan]

    @cached_property
    def weights(self) -> tuple[str, ...]:
        """Tensors in floating point with entries that most steps have."""
        expected = self.contents.expected.items()
        floats = ((name, info) for name, info in expected if info.dtype.is_floating_point)
        return tuple(name for name, info in floats if 0 not in info.shape)

    def sound(self, name: str, place: int) -> bool:
        """Return whether a step has a tensor in the expected shape, and all of it is finite."""
        info, shape = self.contents.infos[place].get(name), self.contents.expected[name].shape
        if info is None or info.shape != shape or not info.dtype.is_floating_point:
            return False
        return self.scans[place][name].finite

    def empty(self, place: int) -> list[str]:
        """Return the tensors of a step in floating point that have no entries."""
        infos = self.contents.infos[place].items()
        return [n for n, info in infos if 0 in info.shape and info.dtype.is_floating_point]

    def digests(self, name: str) -> dict[int, str]:
        """Return the hash of a tensor by place, where it is there, has entries and is finite."""
        return {
            place: scans[name].digest
            for place, scans in enumerate(self.scans)
            if name in scans and scans[name].finite
            if 0 not in self.contents.infos[place][name].shape
        }

    def num_samples(self, name: str) -> int:
        """Return how many entries of a tensor are sampled."""
        return max(len(scans[name].sample) for scans in self.scans if name in scans)

    def samples(self, name: str, places: Sequence[int]) -> Array:
        """Return the samples of a tensor that is sound at these places, shape (P, n)."""
        return np.stack([self.scans[place][name].sample for place in places])

    def points(self, names: Iterable[str], places: Sequence[int]) -> Array:
        """Return samples of tensors side by side, shape (P, n); what does not change is left out.

        Each tensor is centred, and divided by its median distance between places at which it
        differs: so tensors count by their entries, whatever their scale.
        """
        columns = [np.zeros((len(places), 0), dtype=np.float32)]
        for name in names:
            sample = self.samples(name, places).astype(np.float64)
            distances = np.sqrt(squared_distances(sample))
            if (differing := distances[distances > 0]).size:
                centred = (sample - sample.mean(axis=0)) / np.median(differing)
                columns.append(centred.astype(np.float32))
        return np.concatenate(columns, axis=1)

    def flag(self, place: int, kind: FlagKind, names: Sequence[str], evidence: str) -> Flag:
        """Return the one flag of a fault that tensors of a step share; none means all of it."""
        step, of = self.steps[place], len(self.scans[place])
        if not names:
            return Flag(step=step, tensor=WHOLE_STEP, flag=kind, evidence=evidence)
        said = evidence if len(names) == 1 else f"{len(names)} of {of} tensors: {evidence}"
        return Flag(step=step, tensor=some_of(names, _SHOWN), flag=kind, evidence=said)

    def called(self, places: Iterable[int]) -> str:
        """Return what steps are called in a sentence: "step 3 and 5"."""
        return "step " + " and ".join(str(self.steps[place]) for place in places)


def shape_of(shape: Sequence[int]) -> str:
    """Return how evidence calls a shape."""
    return f"shape {tuple(shape)}"
