"""What a kind of learning problem must offer, and how every metric is a total over a count."""

from abc import ABC, abstractmethod
from functools import cache
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from specflow.datasets.storage import SPLITS, Split, load
from specflow.models.network import Network
from specflow.problems.settings import Data, ProblemSettings

Selection = Tensor | slice
Totals = dict[str, tuple[Tensor, int]]


class Task(ABC):
    """A learning problem on data that lie on the device.

    Attributes:
        settings: The resolved settings.
        data: Arrays of both parts by name; the first dimension counts samples.
        fingerprint: Fingerprint of the data.
    """

    last_position_only = False

    def __init__(self, settings: ProblemSettings, data: Data, fingerprint: str) -> None:
        """Keep settings and data."""
        self.settings = settings
        self.data = data
        self.fingerprint = fingerprint
        self._baseline = cache(self._mean_baseline)

    def build_model(self) -> Network:
        """Return a new network, initialized from torch's global generator, on the data's device."""
        model = self.settings.model.build(
            self.settings.shape, last_position_only=self.last_position_only
        )
        return model.to(self.device)

    @property
    def device(self) -> torch.device:
        """Where the data lie, and networks compute."""
        return next(iter(self.data["train"].values())).device

    def num_samples(self, split: Split) -> int:
        """Return the number of samples of a part."""
        return len(next(iter(self.data[split].values())))

    @abstractmethod
    def training_loss(self, model: nn.Module, selection: Selection) -> Tensor:
        """Return the mean loss of the selected training samples, a scalar with a gradient."""

    @abstractmethod
    def totals(self, model: nn.Module, split: Split, selection: Selection) -> Totals:
        """Return the sum and the count of every metric over the selected samples.

        `loss` and `error` are always among them; sums are float64 scalars.
        """

    @abstractmethod
    def baseline_losses(self, split: Split, selection: Selection) -> Tensor:
        """Return the loss of a trivial predictor on each selected sample, (N,) float64.

        It knows the training part, and does not look at the input.
        """

    @torch.no_grad()
    def evaluate(self, model: nn.Module, split: Split) -> dict[str, float]:
        """Return every metric of a part: its total over its count, not a mean of batch means.

        `loss_baseline` is the loss of a trivial predictor, whatever the network. Of the training
        part at most `max_train_samples` count. The network is left in the mode in which it came.
        """
        sums: dict[str, Tensor] = {}
        counts: dict[str, int] = {}
        was_training = model.training
        model.eval()
        for selection in self._evaluated(split):
            for name, (total, count) in self.totals(model, split, selection).items():
                sums[name] = sums.get(name, 0) + total
                counts[name] = counts.get(name, 0) + count
        model.train(was_training)
        means = {name: float(sums[name]) / counts[name] for name in sums}
        return means | {"loss_baseline": self._baseline(split)}

    def evaluate_all(self, model: nn.Module) -> dict[str, float]:
        """Return the metrics of both parts by `split/metric`."""
        return {
            f"{split}/{name}": value
            for split in SPLITS
            for name, value in self.evaluate(model, split).items()
        }

    def _evaluated(self, split: Split) -> list[slice]:
        """Return the samples of a part that metrics are of, in batches."""
        limit = self.settings.evaluation.max_train_samples if split == "train" else None
        length = min(self.num_samples(split), limit or self.num_samples(split))
        return batches(length, self.settings.evaluation.batch_size)

    def _mean_baseline(self, split: Split) -> float:
        losses = [self.baseline_losses(split, part) for part in self._evaluated(split)]
        return float(torch.cat(losses).mean())


class GenerativeTask(Task):
    """A learning problem whose networks make new images like those that they were trained on."""

    @abstractmethod
    def sample(self, model: nn.Module, count: int, seed: int) -> Tensor:
        """Return new images of shape (count, C, H, W), in the units of the training images.

        Networks given the same seed are given the same chance.
        """

    @abstractmethod
    def value_range(self) -> tuple[Tensor, Tensor]:
        """Return the values of black and of full light in each channel, two of shape (C,)."""


def share_losses(train: Tensor, num_values: int) -> Tensor:
    """Return -log of the share that each value has among the targets of training, in float64.

    Every value counts once more than it is there: what training lacks is not impossible.

    Args:
        train: Targets of the training part, int64, of any shape.
        num_values: How many values a target can have, from 0.

    Returns:
        Shape (num_values,).
    """
    counts = torch.bincount(train.flatten(), minlength=num_values).double() + 1
    return counts.sum().log() - counts.log()


def batches(length: int, size: int) -> list[slice]:
    """Return consecutive slices of at most `size` samples that cover `length` of them."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def equal_parts(length: int, count: int) -> list[slice]:
    """Return at most `count` slices of nearly equal size, none empty, over `length` samples."""
    bounds = [length * part // count for part in range(count + 1)]
    return [slice(start, end) for start, end in pairwise(bounds) if end > start]


def load_task(settings: ProblemSettings, dataset: Path, device: torch.device) -> Task:
    """Return the task on a prepared dataset, whose arrays are moved to the device.

    Raises:
        BrokenFileError: If the file is missing, damaged or of another version.
    """
    loaded = load(dataset)
    data: dict[Split, dict[str, Tensor]] = {
        split: {name: array.to(device) for name, array in getattr(loaded, split).items()}
        for split in SPLITS
    }
    return settings.problem.task(settings, data, loaded.fingerprint)
