import math

import pytest
import torch
from tests.problems.made_up import task_on

from specflow.datasets.shapes import ImageShape

SHAPE = ImageShape(channels=1, size=4, num_classes=3)
MLP = {"kind": "mlp", "hidden": [5]}


def test_baseline_knows_the_shares_of_classes_in_training():
    """Class 2, which training lacks, is not impossible: every class counts once more."""
    data = {
        split: {"inputs": torch.randn(len(targets), 1, 4, 4), "targets": torch.tensor(targets)}
        for split, targets in (("train", [0, 0, 0, 1]), ("validation", [0, 1, 2]))
    }
    task = task_on(data, {"kind": "classification"}, MLP, SHAPE)
    model = task.build_model()
    shares = [4 / 7, 2 / 7, 1 / 7]
    expected = -sum(map(math.log, shares)) / 3
    assert task.evaluate(model, "validation")["loss_baseline"] == pytest.approx(expected)
    shares = [4 / 7, 4 / 7, 4 / 7, 2 / 7]
    expected = -sum(map(math.log, shares)) / 4
    assert task.evaluate(model, "train")["loss_baseline"] == pytest.approx(expected)
    limited = task.settings.evaluation.model_copy(update={"max_train_samples": 3})
    settings = task.settings.model_copy(update={"evaluation": limited})
    found = settings.problem.task(settings, data, "").evaluate(model, "train")["loss_baseline"]
    assert found == pytest.approx(-math.log(4 / 7))
