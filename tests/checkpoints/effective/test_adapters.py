"""What adapters keep beside LoRA: whole layers in place of others, and no weight matrices."""

import json

import pytest
import torch

from specflow.checkpoints.live import LiveCheckpoints
from specflow.checkpoints.opening import open_checkpoint

OTHERS = {
    "IA3": {"q.ia3_l": (5, 1)},
    "LoHa": {"q.hada_w1_a": (5, 2), "q.hada_w1_b": (2, 7)},
    "LoKr": {"q.lokr_w1": (2, 2), "q.lokr_w2.default": (3, 4)},
    "VeRA": {"base_model.vera_A": (4, 7), "base_model.vera_B": (5, 4)},
    "AdaLoRA": {"q.lora_A": (3, 7), "q.lora_B": (5, 3), "q.lora_E": (3, 1)},
    "prompt tuning": {"prompt_embeddings": (8, 16)},
}


@pytest.mark.parametrize("method", OTHERS)
def test_other_methods_are_named_and_are_no_matrices(method):
    state = {name: torch.ones(shape) for name, shape in OTHERS[method].items()}
    live = LiveCheckpoints({**state, "biased.weight": torch.ones(4, 4)})
    assert list(live.infos) == ["biased.weight"]
    assert live.skipped.keys() == state.keys()
    assert any(method in why for why in live.skipped.values())


def test_method_of_the_config_is_named(tmp_path):
    state = {"q.hra_u": torch.ones(7, 4), "q.weight": torch.ones(5, 7)}
    torch.save(state, tmp_path / "adapter_model.bin")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "HRA"}))
    with open_checkpoint(tmp_path / "adapter_model.bin") as tensors:
        assert tensors.skipped == {"q.hra_u": "HRA adapter: no weight matrix"}


def test_copy_that_an_adapter_trains_takes_the_place_of_the_original():
    state = {
        "head.original_module.weight": torch.zeros(3, 4),
        "head.modules_to_save.default.weight": torch.ones(3, 4),
    }
    live = LiveCheckpoints(state)
    assert list(live.infos) == ["head.weight"]
    assert torch.equal(live.read("head.weight"), torch.ones(3, 4))
    assert "head.original_module.weight" in live.skipped
