"""What a training and the process beside it tell each other."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from specflow.checkpoints.base import Infos, Step
from specflow.live.kinds import Kind
from specflow.live.rows import Scalars, Spectra
from specflow.wiring import Wiring


@dataclass(frozen=True)
class Setup:
    """What a worker is told first.

    Attributes:
        target: Place of the file.
        wiring: The matrices and pairs.
        infos: Shape and dtype of each tensor.
        copied: The same by what copies are called.
        kinds: What is measured.
        count: How many steps the buffers are for.
        file: The number of what lies behind them.
        stores: Whether weights are kept too.
        tells_spectra: Whether the answers are to have spectra, beside numbers.
    """

    target: Path
    wiring: Wiring
    infos: Infos
    copied: Infos
    kinds: Sequence[Kind]
    count: int
    file: int
    stores: bool
    tells_spectra: bool


@dataclass(frozen=True)
class Copied:
    """A step that was copied.

    Attributes:
        slot: Where.
        step: The step.
        kinds: What is to be measured of it.
        absent: What copies are called that were not made.
        scalars: What else is known of it.
    """

    slot: int
    step: Step
    kinds: Sequence[Kind]
    absent: Set[str]
    scalars: Scalars = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """A step that was measured.

    Attributes:
        slot: Where it was; the place is free again.
        number: The step.
        scalars: Its quantities and scores, and what else is known of it.
        spectra: The singular values of each matrix, where they were measured and are wanted.
        busy: Seconds that the process has computed since its first step.
    """

    slot: int
    number: int
    scalars: Scalars
    spectra: Spectra
    busy: float


@dataclass(frozen=True)
class First:
    """What there was before the first step of a training.

    Attributes:
        scalars: The numbers of the first step of one that goes on; none of one that begins.
        removed: How many steps of an earlier one there were, none of which is left.
    """

    scalars: Scalars
    removed: int


@dataclass(frozen=True)
class Failed:
    """Why there will be no more."""

    message: str
