"""A watch over what `lightning.Trainer` trains: a callback of it."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from specflow.live.watch import Watch, started


class WatchCallback(Callback):
    """Watches a training from its first step to its last, as `specflow.watch` does.

    Example:
        trainer = Trainer(callbacks=[WatchCallback("run.h5", every=100)])
    """

    def __init__(self, path: str | Path, **options: Any) -> None:
        """Take what `specflow.watch` takes beside the model."""
        self._path, self._options = path, options
        self._watch: Watch | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin, and measure the network as it is.

        Raises:
            SpecflowError: As for `specflow.watch`.
        """
        self._watch = started(pl_module, self._path, **self._options)
        self._watch.step(trainer.global_step)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Tell of a step; of a batch whose gradients are only added to others there is none."""
        if self._watch is not None and trainer.global_step > self._watch.latest:
            loss = outputs["loss"] if isinstance(outputs, dict) and "loss" in outputs else None
            self._watch.step(trainer.global_step, **({} if loss is None else {"loss": loss}))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Wait for the last steps, and complete the file."""
        self._close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Complete the file of a training that fails or is interrupted."""
        self._close()

    def _close(self) -> None:
        if self._watch is not None:
            self._watch.close()
