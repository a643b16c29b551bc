"""JSON files beside weights."""

from pathlib import Path

import pytest
from tests.checkpoints.web import answers

from specflow.checkpoints.beside import json_beside
from specflow.checkpoints.remote.names import steps_at
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


@pytest.mark.parametrize("query", ["", "?signed=1"])
def test_what_lies_beside_a_url_is_read(serve, query: str) -> None:
    web = serve()
    web.files["/run/config.json"] = b'{"num_attention_heads": 4}'
    web.files["/run/broken.json"] = b"{"
    web.files["/run/large.json"] = b" " * (10 * 2**20 + 1)
    (step,) = steps_at(f"{web.url}/run/model.safetensors{query}").values()
    assert step.json_beside("config.json") == {"num_attention_heads": 4}
    web.faults += [None, answers(403)]
    for _ in range(2):
        assert step.json_beside("adapter_config.json") is None
    for name in ("broken", "large"):
        with pytest.raises(SpecflowError, match=rf"/run/.*{name}\.json: "):
            step.json_beside(f"{name}.json")
    assert {path.partition("?")[2] for path, _, _ in web.asked} == {query.lstrip("?")}
