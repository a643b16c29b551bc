import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from specflow.datasets.dataset import Dataset

ADDITION = {"kind": "modular_addition", "modulus": 97, "train_fraction": 0.3, "seed": 0}
DIGITS = {"kind": "digits", "image_size": 32, "validation_fraction": 0.2, "seed": 0}
TEXT = {
    "kind": "reference_text",
    "tokenizer": {"kind": "byte_pairs", "num_tokens": 512},
    "length": 64,
    "num_train_sequences": 1000,
    "num_validation_sequences": 100,
    "validation_fraction": 0.1,
    "seed": 0,
}

PREPARE = """
import pathlib, sys
from pydantic import TypeAdapter
from specflow.datasets.dataset import Dataset, DatasetSection
TypeAdapter(Dataset).validate_json(sys.argv[1]).prepare(pathlib.Path(sys.argv[2]))
kinds = {f"specflow.datasets.{kind}" for kind in DatasetSection.kinds()}
print(sorted(({"torch", "mlxtend"} | kinds) & set(sys.modules)))
"""


@pytest.mark.parametrize("config", [ADDITION, DIGITS, TEXT], ids=lambda config: config["kind"])
def test_another_process_gives_the_same_bytes_with_one_kind_and_without_torch(
    tmp_path: Path, config: dict
) -> None:
    TypeAdapter(Dataset).validate_python(config).prepare(tmp_path / "1.h5")
    command = [sys.executable, "-c", PREPARE, json.dumps(config), tmp_path / "2.h5"]
    # Fresh memory is filled with this byte, so that what HDF5 leaves unset would differ.
    environment = {"PYTHONPATH": ":".join(sys.path), "MALLOC_PERTURB_": "165"}
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert ended.stdout == f"['specflow.datasets.{config['kind']}']\n"
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()
