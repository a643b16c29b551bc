"""What a training and the process beside it tell each other."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from specflow.checkpoints.base import Infos, Step
from specflow.live.kinds import Kind
from specflow.live.rows import Scalars
from specflow.measure.settings import SpectraParams
from specflow.wiring import Wiring


@dataclass(frozen=True)
class Setup:
    """What a worker is told first.

    Attributes:
        target: Place of the file.
        wiring: The matrices and pairs.
        settings: What is kept of each.
        infos: Shape and dtype of each tensor.
        copied: The same by what copies are called.
        count: How many steps the buffers are for.
        file: The number of what lies behind them.
        stores: Whether weights are kept too.
    """

    target: Path
    wiring: Wiring
    settings: SpectraParams
    infos: Infos
    copied: Infos
    count: int
    file: int
    stores: bool


@dataclass(frozen=True)
class Copied:
    """A step that was copied.

    Attributes:
        slot: Where.
        step: The step.
        kinds: What was copied.
        absent: What copies are called that were not made.
        scalars: What else is known of it.
    """

    slot: int
    step: Step
    kinds: Sequence[Kind]
    absent: Set[str]
    scalars: Scalars


@dataclass(frozen=True)
class Measured:
    """A step that was measured.

    Attributes:
        slot: Where it was; the place is free again.
        number: The step.
        scalars: Its quantities and scores, and what else is known of it.
        spectra: The singular values of each matrix.
        busy: Seconds that the process has computed since its first step.
    """

    slot: int
    number: int
    scalars: Scalars
    spectra: Mapping[str, np.ndarray]
    busy: float


@dataclass(frozen=True)
class Failed:
    """Why there will be no more."""

    message: str
