"""What is left out is said, above all where nothing else is left."""

import pytest
import torch

import specflow
from specflow.errors import SpecflowError

FACTORS = {"q.lora_A": (2, 8), "q.lora_B": (8, 2), "q.lora_E": (2, 1)}


def packed(count):
    state = {"norm.weight": torch.ones(8)}
    for number in range(count):
        state[f"{number}.qweight"] = torch.ones(1, 8, dtype=torch.int32)
        state[f"{number}.qzeros"] = torch.ones(1, 1, dtype=torch.int32)
        state[f"{number}.scales"] = torch.ones(1, 8)
    return state


NOTHING = {
    "adapter of three factors": (
        {name: torch.ones(shape) for name, shape in FACTORS.items()},
        ["2 x LoRA with a third factor", "q.lora_A, q.lora_B", "1 x AdaLoRA adapter", "its base"],
    ),
    "adapter that is no LoRA": (
        {"q.lokr_w1": torch.ones(2, 2), "q.lokr_w2": torch.ones(4, 4)},
        ["2 x LoKr adapter", "its base"],
    ),
    "packed": (
        packed(3),
        ["3 x quantized", "packed integers", "1 x one dimension", "before they were quantized"],
    ),
    "not gathered": ({"a.weight": torch.empty(0)}, ["1 x no entries", "zero_to_fp32.py"]),
    "norms alone": ({"norm.weight": torch.ones(4)}, ["1 x one dimension", "expected one or more"]),
}


@pytest.mark.parametrize("kind", NOTHING)
def test_where_no_matrix_is_left_it_is_said_why_and_what_to_do(kind):
    state, words = NOTHING[kind]
    with pytest.raises(SpecflowError) as raised:
        specflow.analyze(state)
    said = str(raised.value)
    assert said.startswith(f"state dict: no matrix is left of {len(state)} tensor")
    assert [word for word in words if word not in said] == []


def test_nothing_is_advised_that_does_not_help():
    """The negative control: a prompt is merged into no base."""
    with pytest.raises(SpecflowError, match="1 x prompt tuning of no layer") as raised:
        specflow.analyze({"prompt_embeddings": torch.ones(4, 8)})
    assert "its base" not in str(raised.value)


def test_file_of_which_nothing_is_left_is_named(workplace):
    torch.save({"norm.weight": torch.ones(4)}, workplace / "step3.pt")
    with pytest.raises(SpecflowError, match=r"^step3\.pt: no matrix is left of 1 tensor; left out"):
        specflow.analyze("step3.pt")


def test_share_of_what_is_analysed_leaves_out_what_is_packed_and_says_so():
    state = {"embed.weight": torch.ones(4, 8), **packed(3)}
    said = " ".join(specflow.analyze(state, quick=True).attrs["analysed"])
    counted = "1 matrix, 32 of 40 parameters (80.0%)"
    assert f"{counted}; parameters in 9 quantized tensors are not counted" in said
    plain = {"embed.weight": torch.ones(4, 8), "norm.weight": torch.ones(8)}
    assert "not counted" not in " ".join(specflow.analyze(plain, quick=True).attrs["analysed"])
