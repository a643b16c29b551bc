"""A watch over what `transformers.Trainer` trains: a callback of it."""

from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerState

from specflow.live.watch import Watch, started


class WatchCallback(TrainerCallback):
    """Watches a training from its first step to its last, as `specflow.watch` does.

    Example:
        trainer = Trainer(model, ..., callbacks=[WatchCallback("run.h5", every=100)])
    """

    def __init__(self, path: str | Path, **options: Any) -> None:
        """Take what `specflow.watch` takes beside the model."""
        self._path, self._options = path, options
        self._watch: Watch | None = None

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **others: Any) -> None:
        """Begin, and measure the network as it is.

        Raises:
            SpecflowError: As for `specflow.watch`.
        """
        if self._watch is not None:  # of a training that was interrupted
            self._watch.close()
        self._watch = started(others["model"], self._path, **self._options)
        self._watch.step(state.global_step)

    def on_optimizer_step(
        self, args: Any, state: TrainerState, control: Any, **others: Any
    ) -> None:
        """Tell of a step, while gradients are there."""
        if self._watch is not None:
            self._watch.step(state.global_step + 1)

    def on_train_end(self, args: Any, state: TrainerState, control: Any, **others: Any) -> None:
        """Wait for the last steps, and complete the file."""
        if self._watch is not None:
            self._watch.close()
