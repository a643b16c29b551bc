"""Checkpoints that are hostile or broken: read, or refused in one line, in bounded time and memory."""

import pytest
import torch
from tests.attacks.conftest import bounded
from tests.attacks.damage import damaged
from tests.checkpoints.test_formats import SAVE, saved

from specflow.checkpoints.opening import open_checkpoint
from specflow.errors import SpecflowError

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
        with bounded():
            try:
                with open_checkpoint(path) as file:
                    shapes = {name: tuple(file.read(name).shape) for name in file.infos}
            except SpecflowError as error:
                assert "\n" not in str(error)
                assert len(str(error)) < 1000
            else:
                assert shapes == {name: info.shape for name, info in file.infos.items()}
