from collections.abc import Callable

import pytest
import torch
from tests.training.made_up import SGD, train

from specflow.scratch import Scratch
from specflow.training.runs import TrainingRun
from specflow.training.settings import RunSettings


class Killed(BaseException):
    """Stands for a kill between two parts of a checkpoint, or between two checkpoints."""


@pytest.fixture
def killed_and_resumed(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[TrainingRun, int], tuple[list[bytes], list[str]]]:
    """Train a run that dies once it has saved a number of files, two a checkpoint, and again.

    Returns its trajectory, and the files that it saved after it had died.
    """

    def run(run: TrainingRun, survived: int) -> tuple[list[bytes], list[str]]:
        run.target.unlink(missing_ok=True)
        save, saved = Scratch.save, []

        def save_then_die(self, name, content):
            save(self, name, content)
            saved.append(name)
            if len(saved) == survived:
                raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(Scratch, "save", save_then_die)
            with pytest.raises(Killed):
                train(run)
            torch.manual_seed(999)
            return train(run), saved[survived:]

    return run


@pytest.fixture
def sgd_run(addition_run: RunSettings) -> RunSettings:
    """Adam would blow rounding up where a gradient is zero (the bias of keys); SGD does not."""
    return addition_run.model_copy(update={"optimizer": SGD})


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> RunSettings:
    """The run that a test names."""
    return request.getfixturevalue(request.param)
