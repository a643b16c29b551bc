import subprocess
import sys
from pathlib import Path

import pytest

from specflow.datasets import prepare
from specflow.params.datasets import (
    BytePairParams,
    DatasetParams,
    DigitsParams,
    ModularAdditionParams,
    ReferenceTextParams,
)

ADDITION = ModularAdditionParams(kind="modular_addition", modulus=97, train_fraction=0.3, seed=0)
TEXT = ReferenceTextParams(
    kind="reference_text",
    tokenizer=BytePairParams(kind="byte_pairs", num_tokens=512),
    length=64,
    num_train_sequences=1000,
    num_validation_sequences=100,
    validation_fraction=0.1,
    seed=0,
)
DIGITS = DigitsParams(kind="digits", image_size=32, validation_fraction=0.2, seed=0)

PREPARE = """
import pathlib, sys
from pydantic import TypeAdapter
from specflow.datasets import prepare
from specflow.params.datasets import DatasetParams
prepare(TypeAdapter(DatasetParams).validate_json(sys.argv[1]), pathlib.Path(sys.argv[2]))
print(sorted({"torch", "mlxtend"} & set(sys.modules)))
"""


@pytest.mark.parametrize("config", [ADDITION, DIGITS, TEXT], ids=lambda config: config.kind)
def test_another_process_gives_the_same_bytes_without_torch(
    tmp_path: Path, config: DatasetParams
) -> None:
    prepare(config, tmp_path / "1.h5")
    command = [sys.executable, "-c", PREPARE, config.model_dump_json(), tmp_path / "2.h5"]
    # Fresh memory is filled with this byte, so that what HDF5 leaves unset would differ.
    environment = {"PYTHONPATH": ":".join(sys.path), "MALLOC_PERTURB_": "165"}
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert ended.stdout == "[]\n"
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()
