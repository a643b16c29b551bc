"""JSON files beside weights."""

from pathlib import Path

import pytest

from specflow.checkpoints.beside import json_beside
from specflow.errors import SpecflowError


def test_what_lies_beside_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"num_attention_heads": 4}')
    assert json_beside(tmp_path / "model.safetensors", "config.json") == {"num_attention_heads": 4}
    assert json_beside(tmp_path / "model.safetensors", "adapter_config.json") is None


@pytest.mark.parametrize("text", ["[1]", "{", "[" * 100_000, '{"a": "' + "x" * 10 * 2**20 + '"}'])
def test_what_is_no_object_is_refused_by_its_place(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(SpecflowError, match=r"config\.json: .*expected a JSON object"):
        json_beside(tmp_path / "model.safetensors", "config.json")
