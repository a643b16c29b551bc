"""presets/paper.yaml has the paper's sizes; nothing of it is trained here."""

from pathlib import Path

import pytest
import torch

from specflow.config.params import load_params

PAPER = load_params(Path(__file__).parents[2] / "presets" / "paper.yaml")

# Counted by hand from the sizes that the paper and its code state.
PARAMETERS = {
    "grokking": 227_058,
    "vgg": 14_728_266,
    "unet": 4_085_505,
    "lstm": 5_356_061,
    "random_labels": 920_842,
}


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_model_has_the_papers_number_of_parameters(name):
    experiment = PAPER.experiments[name]
    with torch.device("meta"):
        model = experiment.model.build(PAPER.datasets[experiment.dataset].shape)
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]


def test_language_model_has_the_papers_shapes():
    experiment = PAPER.experiments["transformer"]
    with torch.device("meta"):
        model = experiment.model.build(PAPER.datasets["wikitext"].shape)
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    assert shapes["embedding.weight"] == shapes["output.weight"] == (32_000, 768)
    assert shapes["blocks.11.self_attn.in_proj_weight"] == (2304, 768)
    assert shapes["blocks.11.linear1.weight"] == (768, 768)
    assert not any(name.startswith("blocks.12") for name in shapes)


@pytest.mark.parametrize(
    ("name", "steps_per_epoch", "num_epochs"),
    [("grokking", 1, 40_000), ("vgg", 352, 164), ("unet", 422, 100), ("lstm", 892, 50)],
)
def test_training_has_the_papers_length(name, steps_per_epoch, num_epochs):
    experiment = PAPER.experiments[name]
    num_train = PAPER.datasets[experiment.dataset].num_train
    assert experiment.steps_per_epoch(num_train) == steps_per_epoch
    assert experiment.num_epochs == num_epochs


def test_weight_decay_experiments_differ_in_nothing_else():
    for base in ("vgg", "unet", "lstm", "transformer"):
        group = {n: e for n, e in PAPER.experiments.items() if n.startswith(f"{base}_decay")}
        assert len(group) >= 3
        for experiment in group.values():
            optimizer = experiment.optimizer.model_copy(
                update={"weight_decay": PAPER.experiments[base].optimizer.weight_decay}
            )
            assert experiment.model_copy(update={"optimizer": optimizer}) == PAPER.experiments[base]
