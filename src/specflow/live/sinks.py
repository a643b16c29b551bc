"""Where numbers of a step go beside the file: loggers, by what they are, and functions."""

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from specflow.errors import SpecflowError
from specflow.live.rows import VALUES, Scalars, Spectra

Sink = Callable[[int, Scalars, Spectra], None]


def sink_of(given: Any) -> Sink:
    """Return what tells a logger, or a function, of a step.

    Args:
        given: A `SummaryWriter` of TensorBoard, a `Live` of DVCLive, a run of Weights & Biases, or
            a function of the step and its numbers by name.

    Raises:
        SpecflowError: If it is nothing of these.
    """
    for method, sink in _LOGGERS.items():
        if hasattr(given, method):
            return sink(given)
    if callable(given):
        return lambda step, scalars, spectra: given(step, scalars)
    raise SpecflowError(
        f"sinks: got {type(given).__name__}; expected a SummaryWriter, a Live of DVCLive, a run of "
        "Weights & Biases, or a function of a step and its numbers"
    )


def _tensorboard(writer: Any) -> Sink:
    def tell(step: int, scalars: Scalars, spectra: Spectra) -> None:
        for name, value in scalars.items():
            writer.add_scalar(name, value, step)
        for name, values in _finite(spectra):
            writer.add_histogram(name, values, step)

    return tell


def _weights_and_biases(run: Any) -> Sink:
    """Steps come late: so they are an axis of their own, and not the step of the run."""
    run.define_metric("specflow/step")
    run.define_metric("specflow/*", step_metric="specflow/step")

    def tell(step: int, scalars: Scalars, spectra: Spectra) -> None:
        histogram = sys.modules["wandb"].Histogram
        found: dict[str, Any] = {"specflow/step": step}
        found |= {f"specflow/{name}": value for name, value in scalars.items()}
        found |= {
            f"specflow/{name}": histogram(np_histogram=np.histogram(values, bins=64))
            for name, values in _finite(spectra)
        }
        run.log(found)

    return tell


def _dvclive(live: Any) -> Sink:
    def tell(step: int, scalars: Scalars, spectra: Spectra) -> None:
        now, live.step = live.step, step
        for name, value in scalars.items():
            live.log_metric(name, value)
        live.step = now

    return tell


_LOGGERS: Mapping[str, Callable[[Any], Sink]] = {
    "add_histogram": _tensorboard,
    "define_metric": _weights_and_biases,
    "log_metric": _dvclive,
}


def _finite(spectra: Spectra) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the spectra that are defined, with their names."""
    for name, values in spectra.items():
        if np.isfinite(values).all():
            yield f"{VALUES}/{name}", values
