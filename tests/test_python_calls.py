"""What a call from Python takes beside files: lists, weights in memory, steps of these."""

import re
from functools import partial
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import nn

import specflow
from specflow.errors import SpecflowError
from specflow.studies.checkpoints.settings import ReadingParams

LISTS = {
    "include": "up*",
    "exclude": "up*",
    "transposed": "up",
    "fused": "up=a,b",
    "pairs": "up -> down",
}


@pytest.mark.parametrize("key", LISTS)
def test_text_in_place_of_a_list_is_refused(key):
    state = {"up.weight": torch.randn(6, 4), "down.weight": torch.randn(4, 6)}
    for call in (specflow.analyze, partial(specflow.compare, state)):
        with pytest.raises(
            SpecflowError, match=re.escape(f"{key}: got '{LISTS[key]}'; expected a list")
        ):
            call(state, **{key: LISTS[key]})
        assert len(call(state, **{key: [LISTS[key]]}))
    with pytest.raises(ValidationError, match=f"{key}\\n"):  # and so in params.yaml
        ReadingParams.model_validate({"files": ["a.pt"], key: LISTS[key]})


def test_steps_in_memory_are_a_training():
    generator = torch.Generator().manual_seed(0)
    weights = [{"w.weight": torch.randn(6, 4, generator=generator)} for _ in range(2)]
    table = specflow.analyze(dict(enumerate(weights)))
    assert table["step"].tolist() == [0, 1]
    norms = [torch.linalg.matrix_norm(one["w.weight"], 2).item() for one in weights]
    assert table["spectral_norm"].tolist() == pytest.approx(norms, rel=1e-5)


@pytest.mark.parametrize("one", [{"w": torch.full((2, 2), 7.25)}, nn.Linear(2, 2)])
def test_a_list_of_weights_is_refused_without_printing_them(one):
    with pytest.raises(SpecflowError) as caught:
        specflow.analyze([one, one])
    assert f"got a list of {type(one).__name__}; expected paths" in str(caught.value)
    assert "{0: state_dict, 100: other_state_dict}" in str(caught.value)
    assert "7.25" not in str(caught.value)


def test_tied_weights_of_a_module_count_once():
    network = nn.ModuleDict({"embed": nn.Embedding(9, 4), "head": nn.Linear(4, 9, bias=False)})
    network["head"].weight = network["embed"].weight
    counted = specflow.analyze(network).attrs["analysed"][2]
    assert counted == "analysed: 1 matrix, 36 of 36 parameters (100.0%)"
    network["head"].weight = nn.Parameter(network["embed"].weight.clone())
    counted = specflow.analyze(network).attrs["analysed"][2]
    assert counted == "analysed: 2 matrices, 72 of 72 parameters (100.0%)"


def test_output_that_is_a_file_is_refused(workplace):
    torch.save({"w.weight": torch.ones(2, 2)}, "a.pt")
    for call in (specflow.analyze, partial(specflow.compare, "a.pt")):
        with pytest.raises(SpecflowError, match=r"output: a\.pt is a file; expected a folder"):
            call("a.pt", output="a.pt")
    assert [path.name for path in Path().iterdir()] == ["a.pt"]
