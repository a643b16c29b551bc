from collections.abc import Callable

import pytest
from tests.training.made_up import SGD

from specflow.scratch import Scratch
from specflow.training.settings import RunSettings


class Killed(BaseException):
    """Stands for a kill between two parts of a checkpoint, or between two checkpoints."""


@pytest.fixture
def killed_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], object]], None]:
    """Run a training that dies once it has saved a number of files, two a checkpoint."""

    def run(survived: int, training: Callable[[], object]) -> None:
        save, saved = Scratch.save, []

        def save_then_die(self, name, content):
            save(self, name, content)
            saved.append(name)
            if len(saved) == survived:
                raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(Scratch, "save", save_then_die)
            with pytest.raises(Killed):
                training()

    return run


@pytest.fixture
def sgd_run(addition_run: RunSettings) -> RunSettings:
    """Adam would blow rounding up where a gradient is zero (the bias of keys); SGD does not."""
    return addition_run.model_copy(update={"optimizer": SGD})
