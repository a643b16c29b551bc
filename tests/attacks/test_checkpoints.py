"""Broken checkpoints: read, or refused in one line, in bounded time and memory."""

import pytest
import torch
from tests.attacks.attempts import attempt
from tests.attacks.damage import damaged
from tests.checkpoints.test_formats import SAVE, saved

from specflow.checkpoints.opening import open_checkpoint

STATE = {"a.weight": torch.ones(30, 20), "b.weight": torch.zeros(7, 3), "c.bias": torch.ones(5)}


@pytest.mark.parametrize("kind", SAVE)
def test_no_damaged_checkpoint_ends_in_anything_but_words(tmp_path, attacks, kind):
    path = saved(tmp_path, kind, STATE)
    content = path.read_bytes()
    header = slice(0, 600)  # where it says what there is
    for rng in attacks(40):
        other = damaged(content, rng)
        if rng.random() < 0.7:
            other = damaged(content[header], rng) + content[header.stop :]
        path.write_bytes(other)
        shapes, error = attempt(lambda: shapes_in(path))
        if error is None:
            assert all(said == found for said, found in shapes)
        else:
            assert "\n" not in str(error)
            assert len(str(error)) < 1000


def shapes_in(path):
    with open_checkpoint(path) as file:
        return [(info.shape, file.read(name).shape) for name, info in file.infos.items()]
