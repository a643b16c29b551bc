import math

import pytest
import torch
from torch import Tensor, nn

from specflow.params.tasks import RunParams
from specflow.tasks import Split, build_task
from specflow.tasks.language import LanguageModelling
from specflow.training.loop import Trainer
from specflow.training.optimizers import build_optimizer

NUM_TOKENS, LENGTH = 300, 8


def run(**changed: object) -> RunParams:
    values = {
        "problem": {"kind": "language_modelling"},
        "experiment": "language",
        "dataset_name": "text",
        "dataset": {
            "kind": "reference_text",
            "tokenizer": {"kind": "byte_pairs", "num_tokens": NUM_TOKENS},
            "length": LENGTH,
            "num_train_sequences": 32,
            "num_validation_sequences": 5,
            "validation_fraction": 0.1,
            "seed": 0,
        },
        "seeds": [0],
        "model": {
            "kind": "transformer",
            "num_blocks": 2,
            "d_model": 16,
            "num_heads": 4,
            "d_mlp": 32,
            "norm": "layer",
        },
        "optimizer": {
            "kind": "adamw",
            "learning_rate": 1e-2,
            "betas": [0.9, 0.95],
            "weight_decay": 0.1,
        },
        "schedule": {"kind": "constant", "warmup_steps": 2},
        "batch_size": 8,
        "accumulation_steps": 1,
        "num_epochs": 20,
        "gradient_clip": 1.0,
        "precision": "float32",
        "checkpoints": {
            "first_epoch_points": 0,
            "spacing": {"kind": "every", "epochs": 20},
            "split_steps": [],
        },
        "evaluation": {"batch_size": 2, "max_train_samples": None},
    }
    return RunParams.model_validate(values | changed)


def arrays(count: int, seed: int) -> dict[str, Tensor]:
    """Windows that count upwards from a random token, each of other bytes and bits."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(NUM_TOKENS, (count, 1), generator=generator)
    return {
        "num_bytes": torch.randint(LENGTH, 6 * LENGTH, (count,), generator=generator),
        "tokens": ((first + torch.arange(LENGTH + 1)) % 20).int(),
        "unigram_bits": torch.rand(count, generator=generator, dtype=torch.float64) * 99,
    }


def task_of(config: RunParams) -> LanguageModelling:
    data: dict[Split, dict[str, Tensor]] = {"train": arrays(32, 0), "validation": arrays(5, 1)}
    task = build_task(config, data, "")
    assert isinstance(task, LanguageModelling)
    return task


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
    task = task_of(run())
    torch.manual_seed(0)
    model = task.build_model()
    with torch.no_grad():
        expected = naive(model, dict(task.data[split]))
    assert task.evaluate(model, split) == pytest.approx(expected, rel=1e-5)


def test_bits_per_byte_are_no_mean_over_batches() -> None:
    task = task_of(run())
    torch.manual_seed(0)
    model = task.build_model()
    whole = task.evaluate(model, "validation")
    at_once = task_of(run(evaluation={**run().evaluation.model_dump(), "batch_size": 5}))
    assert at_once.evaluate(model, "validation") == pytest.approx(whole, rel=1e-6)
    with torch.no_grad():
        rows = [task.totals(model, "validation", slice(i, i + 1)) for i in range(5)]
    means = [float(total) / count for total, count in (row["bits_per_byte"] for row in rows)]
    assert sum(means) / 5 != pytest.approx(whole["bits_per_byte"], rel=0.01)


def test_training_loss_is_the_mean_over_all_positions() -> None:
    task = task_of(run())
    torch.manual_seed(0)
    model = task.build_model()
    loss = task.training_loss(model, slice(0, 32))
    assert loss.item() == pytest.approx(task.evaluate(model, "train")["loss"], rel=1e-5)
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_two_blocks_learn_to_count() -> None:
    task = task_of(run())
    torch.manual_seed(0)
    model = task.build_model()
    before = task.evaluate(model, "validation")
    trainer = Trainer(task, model, build_optimizer(task.run.optimizer, model), order_seed=0)
    list(trainer.run(0, [task.run.num_steps(32)], lambda _: None))
    after = task.evaluate(model, "validation")
    assert before["error"] > 0.9
    assert after["loss"] < before["loss"] / 3
    assert after["error"] < 0.1
    assert after["bits_per_byte"] / before["bits_per_byte"] == pytest.approx(
        after["loss"] / before["loss"]
    )
    assert after["bits_per_byte_baseline"] == before["bits_per_byte_baseline"]


def test_every_block_aligns_queries_with_keys_head_by_head() -> None:
    model = task_of(run()).build_model()
    pairs = {pair.label: pair for pair in model.wiring.pairs}
    for block in (1, 2):
        pair = pairs[f"block {block} query -> block {block} key"]
        assert len(pair.meetings) == 4


def test_observing_changes_no_weights() -> None:
    task = task_of(run())
    model = task.build_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    task.observe(model, torch.tensor([3, 1]))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
