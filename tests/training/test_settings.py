import subprocess
import sys

import pytest

from specflow.training.settings import RunSettings

READ = """
import sys
from specflow.datasets.dataset import DatasetSection
from specflow.models.network import ModelSection
from specflow.problems.settings import ProblemSection
from specflow.training.settings import RunSettings
settings = RunSettings.model_validate_json(sys.argv[1])
settings.model.wiring(settings.shape)
for base in (DatasetSection, ModelSection, ProblemSection):
    print(*[kind for kind in base.kinds() if f"{base.package}.{kind}" in sys.modules])
"""


def test_settings_read_back_from_json_import_their_own_kinds_alone(digits_run: RunSettings) -> None:
    text = digits_run.model_dump_json()
    assert RunSettings.model_validate_json(text) == digits_run
    command = [sys.executable, "-c", READ, text]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == ["", "vgg", "classification"]


def test_steps_are_those_of_batches_and_epochs(addition_run: RunSettings) -> None:
    assert (addition_run.num_train, addition_run.epoch_steps) == (29, 4)
    full = addition_run.model_copy(update={"batch_size": "full"})
    assert (full.epoch_steps, full.num_steps(29)) == (1, 4)
    assert full.samples_per_step(29) == 29


@pytest.mark.parametrize("value", ["all", 0, 2.5, True])
def test_other_batch_sizes_are_refused(addition_run: RunSettings, value: object) -> None:
    data = addition_run.model_dump() | {"batch_size": value}
    with pytest.raises(ValueError, match="expected a whole number from 1, or full"):
        RunSettings.model_validate(data)
