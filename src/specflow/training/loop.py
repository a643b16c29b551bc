"""The one training loop: optimizer steps in seeded order, with a pause at every checkpoint."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from specflow.errors import SpecflowError
from specflow.models.network import Network
from specflow.problems.task import Selection, Task, batches, equal_parts
from specflow.training.optimizers import State, export_state, import_state
from specflow.training.order import epoch_order, step_seed
from specflow.training.settings import TrainingParams

_SCALER = "grad_scaler"  # its place in an exported state, beside the names of parameters


class NonFiniteLossError(SpecflowError):
    """Training diverged."""


class Trainer:
    """Takes optimizer steps of one run; its state is the model, the optimizer and the scaler."""

    def __init__(
        self, settings: TrainingParams, task: Task, model: Network, order_seed: int
    ) -> None:
        """Get ready for the first step of a network, its data in the order of a seed."""
        self.settings, self.task, self.model = settings, task, model
        self.optimizer = settings.optimizer.build(model)
        self._order_seed = order_seed
        self._device = next(model.parameters()).device
        self._num_train = task.num_samples("train")
        self._per_step = settings.samples_per_step(self._num_train)
        self._per_epoch = settings.steps_per_epoch(self._num_train)
        self._num_steps = settings.num_steps(self._num_train)
        self._first_bad_step = torch.full((), -1, dtype=torch.int64, device=self._device)
        mixed = self._device.type == "cuda" and settings.precision != "float32"
        self._half = getattr(torch, settings.precision) if mixed else None
        self.scaler = torch.amp.GradScaler(self._device.type, enabled=self._half == torch.float16)

    def run(self, start: int, pauses: list[int]) -> Iterator[int]:
        """Train from one step to the last pause.

        Args:
            start: Number of steps taken already.
            pauses: Steps at which to pause, ascending, beyond `start`.

        Yields:
            Each pause's step, with the model as it is after so many steps.

        Raises:
            NonFiniteLossError: If a loss is not finite; it names the step.
        """
        selections = self._selections(start)
        for first, pause in pairwise([start, *pauses]):
            self.model.train()
            for step in range(first, pause):
                self._take_step(step, next(selections))
                if self._device.type == "cpu":
                    self._check_finite()
            self._check_finite()
            yield pause

    def export_state(self) -> State:
        """Return the state of optimizer and, in float16, of the loss scale, as arrays."""
        scale = {key: np.array(value) for key, value in self.scaler.state_dict().items()}
        return export_state(self.optimizer, self.model) | ({_SCALER: scale} if scale else {})

    def import_state(self, state: State) -> None:
        """Go on from what `export_state` returned."""
        optimizer = {name: entry for name, entry in state.items() if name != _SCALER}
        import_state(self.optimizer, self.model, optimizer)
        if _SCALER in state:
            scale = {key: value.item() for key, value in state[_SCALER].items()}
            self.scaler.load_state_dict(scale)

    def _selections(self, start: int) -> Iterator[Selection]:
        """Yield the training samples of every step, each once in an epoch.

        A branch that starts within an epoch takes the rest of its own order.
        """
        if self._per_step == self._num_train:
            while True:
                yield slice(0, self._num_train)
        epoch, position = divmod(start, self._per_epoch)
        while True:
            order = epoch_order(self._order_seed, epoch, self._num_train).to(self._device)
            for part in batches(self._num_train, self._per_step)[position:]:
                yield order[part]
            epoch, position = epoch + 1, 0

    def _take_step(self, step: int, selection: Selection) -> None:
        settings = self.settings
        torch.manual_seed(step_seed(self._order_seed, step))  # so that any step can be resumed
        factor = settings.schedule.factor_at(step, self._per_epoch, self._num_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = settings.optimizer.learning_rate * factor
        self.optimizer.zero_grad(set_to_none=True)
        self._accumulate_gradients(step, selection)
        if settings.gradient_clip is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), settings.gradient_clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def _accumulate_gradients(self, step: int, selection: Selection) -> None:
        parts = _parts(selection, self.settings.accumulation_steps)
        total = sum(size for _, size in parts)
        for part, size in parts:
            with torch.autocast(self._device.type, self._half, enabled=self._half is not None):
                loss = self.task.training_loss(self.model, part)
            bad = ~torch.isfinite(loss.detach()) & (self._first_bad_step < 0)
            self._first_bad_step = torch.where(bad, step, self._first_bad_step)
            self.scaler.scale(loss if size == total else loss * (size / total)).backward()

    def _check_finite(self) -> None:
        step = int(self._first_bad_step)
        if step >= 0:
            raise NonFiniteLossError(
                f"the loss is not finite at step {step}; checkpoints before it are kept; "
                "expected a smaller learning rate or gradient_clip"
            )


def _parts(selection: Selection, count: int) -> list[tuple[Selection, int]]:
    """Cut a step's samples into `count` parts of nearly equal size, with their sizes."""
    if isinstance(selection, Tensor):
        return [(part, len(part)) for part in selection.tensor_split(count) if len(part)]
    return [(part, part.stop - part.start) for part in equal_parts(selection.stop, count)]
