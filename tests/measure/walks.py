"""Made-up trainings in memory: networks of every architecture whose weights walk at random."""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import torch
from torch import Tensor

from specflow.checkpoints.base import Step
from specflow.checkpoints.live import LiveCheckpoints
from specflow.datasets.shapes import ImageShape, SpeechShape, TokenShape
from specflow.hdf5 import open_file
from specflow.measure.layouts import SPECTRA
from specflow.measure.settings import SpectraParams
from specflow.measure.spectra import measure_spectra
from specflow.models.lstm import LstmParams
from specflow.models.network import Network
from specflow.models.transformer import TransformerParams
from specflow.models.unet import UnetParams
from specflow.models.vgg import VggParams
from specflow.scratch import Scratch
from specflow.wiring import Matrix, View, Wiring, chain

SETTINGS = SpectraParams(diagonal_length=5, score_length=3, mass=0.9)
WIDTH, HEADS, HIDDEN = 16, 4, 6
_LANGUAGE = {"num_blocks": 2, "d_model": WIDTH, "num_heads": HEADS, "d_mlp": 24, "norm": "layer"}
_IMAGES = {"channels": (8, 12, 16, 20), "embedding_width": 10, "fourier_scale": 30.0}
_SPEECH = {"num_layers": 2, "hidden": HIDDEN, "bidirectional": True}
NETWORKS = {
    "transformer": (
        TransformerParams(kind="transformer", **_LANGUAGE),
        TokenShape(num_tokens=30, length=8),
    ),
    "vgg": (
        VggParams(kind="vgg", depth=11, width=2),
        ImageShape(channels=3, size=32, num_classes=7),
    ),
    "unet": (UnetParams(kind="unet", **_IMAGES), ImageShape(channels=1, size=28, num_classes=10)),
    "lstm": (LstmParams(kind="lstm", **_SPEECH), SpeechShape(num_features=9, characters="abcdef")),
}

State = Mapping[str, Tensor]


class Walk:
    """State dicts as checkpoints: one a step, and how often each was opened."""

    def __init__(self, states: Sequence[State]) -> None:
        self.states = list(states)
        self.steps = [Step(10 * number, number / 2, "memory") for number in range(len(states))]
        self.opened: list[int] = []

    @contextmanager
    def open(self, index: int):
        self.opened.append(index)
        yield LiveCheckpoints(self.states[index])

    def fingerprint(self) -> str:
        return "walk"


class One:
    """A step of a walk alone."""

    def __init__(self, states: Sequence[State], number: int) -> None:
        self._states, self._number = states, number
        self.steps = [Step(10 * number, None, "memory")]

    def open(self, index: int):
        assert index == 0
        return Walk(self._states).open(self._number)


def network(kind: str) -> Network:
    torch.manual_seed(0)
    section, shape = NETWORKS[kind]
    return section.build(shape)


def walk(state: State, count: int, speed: float = 0.1) -> list[dict[str, Tensor]]:
    """Return a state that takes `count` - 1 random steps, all its tensors being floats."""
    generator = torch.Generator().manual_seed(0)
    steps = [{name: tensor.detach().clone() for name, tensor in state.items()}]
    for _ in range(count - 1):
        steps.append(
            {
                name: tensor
                + speed * tensor.std(correction=0) * torch.randn(tensor.shape, generator=generator)
                for name, tensor in steps[-1].items()
            }
        )
    return steps


def layers(*sizes: int, prefix: str = "layers") -> tuple[dict[str, Tensor], Wiring]:
    """Return random weights of a chain of layers with biases, and its wiring."""
    generator = torch.Generator().manual_seed(1)
    state, matrices = {}, []
    for number in range(len(sizes) - 1):
        name, shape = f"{prefix}.{number}.weight", (sizes[number + 1], sizes[number])
        state[name] = torch.randn(shape, generator=generator)
        state[f"{prefix}.{number}.bias"] = torch.randn(shape[0], generator=generator)
        matrices.append(Matrix(name, f"linear {number + 1}", View(name, shape), "linear"))
    return state, chain(matrices)


def measure(folder: Path, checkpoints, wiring: Wiring, *, workers: int = 1, **options) -> Path:
    """Measure into a folder, with what is finished in `scratch` beside; return the file."""
    target, scratch = folder / "spectra.h5", Scratch(folder / "scratch")
    with scratch.locked():
        measure_spectra(
            checkpoints,
            wiring,
            options.pop("settings", SETTINGS),
            target,
            scratch,
            options.pop("report", lambda done: None),
            workers=workers,
            **options,
        )
        scratch.remove()
    return target


def entries(path: Path) -> dict[str, dict]:
    """Return arrays and attributes of every matrix and pair, by name."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Group) and "depth" in item.attrs:
            arrays = {key: data[()] for key, data in item.items()}
            found[name.partition("/")[2]] = arrays | dict(item.attrs)

    with open_file(path, SPECTRA) as file:
        file.visititems(visit)
    return found
