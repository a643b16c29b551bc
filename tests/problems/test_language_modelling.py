import math
from collections import Counter

import pytest
import torch
from tests.problems.made_up import task_on
from torch import Tensor, nn

from specflow.datasets.shapes import TokenShape
from specflow.datasets.storage import Split
from specflow.problems.language_modelling import LanguageModelling
from specflow.problems.settings import Data
from specflow.problems.task import Task

NUM_TOKENS, LENGTH = 300, 8
SIZES = {"num_blocks": 2, "d_model": 16, "num_heads": 4, "d_mlp": 32, "norm": "layer"}
PROBLEM, MODEL = {"kind": "language_modelling"}, {"kind": "transformer", **SIZES}


def arrays(count: int, seed: int) -> dict[str, Tensor]:
    """Windows that count upwards from a random token, each of other bytes and bits."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(NUM_TOKENS, (count, 1), generator=generator)
    return {
        "num_bytes": torch.randint(LENGTH, 6 * LENGTH, (count,), generator=generator),
        "tokens": ((first + torch.arange(LENGTH + 1)) % 20).int(),
        "unigram_bits": torch.rand(count, generator=generator, dtype=torch.float64) * 99,
    }


def task_and_model(batch_size: int = 2) -> tuple[Task, nn.Module]:
    data: Data = {"train": arrays(32, 0), "validation": arrays(5, 1)}
    shape = TokenShape(num_tokens=NUM_TOKENS, length=LENGTH)
    task = task_on(data, PROBLEM, MODEL, shape, batch_size)
    torch.manual_seed(0)
    assert isinstance(task, LanguageModelling)
    return task, task.build_model()


def naive(model: nn.Module, part: dict[str, Tensor]) -> dict[str, float]:
    """Return every metric, one position at a time, each read from a prefix alone."""
    nats, wrong, positions = 0.0, 0, 0
    for row in part["tokens"].long():
        for end in range(1, len(row)):
            logits = model(row[None, :end])[0, -1].double()
            nats -= math.log(logits.exp()[row[end]] / logits.exp().sum())
            wrong += int(logits.argmax() != row[end])
            positions += 1
    num_bytes = int(part["num_bytes"].sum())
    return {
        "loss": nats / positions,
        "error": wrong / positions,
        "bits_per_byte": nats / math.log(2) / num_bytes,
        "bits_per_byte_baseline": float(part["unigram_bits"].sum()) / num_bytes,
    }


@pytest.mark.parametrize("split", ["train", "validation"])
def test_metrics_match_naive(split: Split) -> None:
    task, model = task_and_model()
    with torch.no_grad():
        expected = naive(model, dict(task.data[split]))
    found = task.evaluate(model, split)
    targets, known = (
        task.data[part]["tokens"][:, 1:].flatten().tolist() for part in (split, "train")
    )
    counts = Counter([*known, *range(task.settings.shape.num_tokens)])
    shares = [counts[target] / counts.total() for target in targets]
    expected["loss_baseline"] = -sum(map(math.log, shares)) / len(shares)
    assert found == pytest.approx(expected, rel=1e-5)


def test_bits_per_byte_are_no_mean_over_batches() -> None:
    task, model = task_and_model()
    whole = task.evaluate(model, "validation")
    at_once, _ = task_and_model(batch_size=5)
    assert at_once.evaluate(model, "validation") == pytest.approx(whole, rel=1e-6)
    with torch.no_grad():
        rows = [task.totals(model, "validation", slice(i, i + 1)) for i in range(5)]
    means = [float(total) / count for total, count in (row["bits_per_byte"] for row in rows)]
    assert sum(means) / 5 != pytest.approx(whole["bits_per_byte"], rel=0.01)


def test_training_loss_is_the_mean_over_all_positions() -> None:
    task, model = task_and_model()
    loss = task.training_loss(model, slice(0, 32))
    assert loss.item() == pytest.approx(task.evaluate(model, "train")["loss"], rel=1e-5)
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
