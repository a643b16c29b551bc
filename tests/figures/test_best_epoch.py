"""What is drawn of each seed's best checkpoint, by weight decay."""

import numpy as np
import pytest
from tests.figures.drawn import ASCENDING, DECAYS, RANK, draw

from specflow.frames import Tables, where, write_table

BEST = {0: 2, 1: 20, 2: 5}  # step at which each seed is best


@pytest.fixture
def folder(make_tables):
    """Tables in which the loss of every seed is least at its own step, and later not finite."""
    folder = make_tables(experiments=tuple(DECAYS), weight_decays=DECAYS)
    history = Tables(folder)["history"].copy()
    best = history["seed"].map(BEST)
    losses = 1 + (history["step"] - best).abs() + history["seed"]
    losses[history["step"] == 30] = np.nan
    own = (history["metric"] == "loss") & (history["split"] == "validation")
    history.loc[own, "value"] = losses[own]
    write_table(folder / "history.csv", history)
    return folder


def test_loss_rank_and_time_are_those_of_each_seed_s_best_checkpoint(folder):
    loss, rank, time = draw("best_epoch", folder).axes
    spectra = Tables(folder)["spectra"]
    for axes in (loss, rank, time):
        assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "0.1", "1"]
    assert loss.lines[0].get_ydata().tolist() == pytest.approx([2, 2, 2])
    assert time.lines[0].get_ydata().tolist() == pytest.approx([0.9] * 3)
    assert time.get_title() == "epoch of that checkpoint"
    expected = [
        np.mean(
            [
                where(spectra, experiment=name, seed=seed, step=step)[RANK].mean()
                for seed, step in BEST.items()
            ]
        )
        for name in ASCENDING
    ]
    assert rank.lines[0].get_ydata().tolist() == pytest.approx(expected)
    dots = [line.get_ydata().tolist() for line in loss.lines if line.get_marker() == "."]
    assert dots == [[1, 2, 3]] * 3
