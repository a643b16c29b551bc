"""What config.json tells: alone, and through a class of transformers that is built without data."""

import json
import sys
import types

import pytest
import torch
from torch import nn

from specflow.checkpoints.network import differing_keys, structure_beside, structure_of_live
from specflow.errors import SpecflowError
from specflow.wiring.tensors import TensorInfo

CONFIG = {"model_type": "made_up", "architectures": ["MadeUp"], "num_attention_heads": 4}
TENSORS = {
    "blocks.0.weight": TensorInfo((8, 2, 3), torch.float32),
    "head.weight": TensorInfo((5, 8), torch.float32),
}


class MadeUpConfig:
    @classmethod
    def from_dict(cls, content):
        config = cls()
        config.content = content
        return config

    def to_dict(self):
        return {**self.content, "told": "by the class"}


class MadeUp(nn.Module):
    config_class = MadeUpConfig
    built = 0

    def __init__(self, config):
        super().__init__()
        type(self).built += 1
        self.config = config
        self.model = nn.Module()
        self.model.blocks = nn.ModuleList([nn.Conv1d(8, 8, 3, groups=4)])
        self.model.head = nn.Linear(8, 5)


@pytest.fixture
def beside(tmp_path):
    def write(config):
        (tmp_path / "config.json").write_text(json.dumps(config))
        return tmp_path / "model.safetensors"

    return write


@pytest.fixture
def transformers(monkeypatch):
    module = types.ModuleType("transformers")
    module.MadeUp = MadeUp
    module.__spec__ = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "transformers", module)
    monkeypatch.setattr(MadeUp, "built", 0)
    return module


@pytest.fixture
def without_transformers(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def test_without_a_config_names_and_shapes_are_all(tmp_path):
    assert structure_beside(tmp_path / "model.safetensors", {}).source == "names and shapes"
    (tmp_path / "config.json").write_text('{"not": "of a model"}')
    source = structure_beside(tmp_path / "model.safetensors", {}).source
    assert source == "names and shapes; config.json names neither model_type nor architectures"
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(SpecflowError, match=r"config\.json: broken"):
        structure_beside(tmp_path / "model.safetensors", {})


@pytest.mark.usefixtures("without_transformers")
def test_a_config_tells_heads_without_transformers(beside):
    structure = structure_beside(beside(CONFIG), TENSORS)
    assert structure.source == "config.json"
    assert structure.heads_of("blocks.") == 4
    assert not structure.layers


@pytest.mark.usefixtures("transformers")
def test_the_class_of_a_config_tells_what_modules_do_under_the_names_of_the_file(beside):
    structure = structure_beside(beside(CONFIG), TENSORS)
    assert structure.source == "config.json, built as MadeUp of transformers"
    assert structure.layers["blocks.0.weight"].groups == 4
    assert structure.says("told") == "by the class"


@pytest.mark.usefixtures("transformers")
def test_a_class_that_is_not_that_of_the_tensors_tells_nothing(beside):
    others = {f"layer{i}.weight": TensorInfo((4, 4), torch.float32) for i in range(3)}
    structure = structure_beside(beside(CONFIG), others)
    assert structure.source == "config.json"
    assert not structure.layers


@pytest.mark.usefixtures("transformers")
def test_a_class_tells_nothing_of_tensors_of_another_shape(beside):
    info = TensorInfo((8, 4, 3), torch.float32)
    structure = structure_beside(beside(CONFIG), {**TENSORS, "blocks.0.weight": info})
    assert structure.source == "config.json"  # of two layers one is not its own
    assert not structure.layers


def test_a_class_tells_no_heads_of_a_module_that_has_another_shape(
    beside, transformers, monkeypatch
):
    def attention(self, config):
        nn.Module.__init__(self)
        self.blocks = nn.ModuleList(nn.Module() for _ in range(3))
        for block in self.blocks:
            block.num_heads, block.query = 4, nn.Linear(8, 8)

    monkeypatch.setattr(MadeUp, "__init__", attention)
    rows = {0: 8, 1: 4, 2: 8}  # heads of the second one were pruned
    tensors = {
        f"blocks.{index}.query.weight": TensorInfo((count, 8), torch.float32)
        for index, count in rows.items()
    }
    structure = structure_beside(beside(CONFIG), tensors)
    assert transformers.MadeUp.__name__ in structure.source
    assert structure.heads == {"blocks.0": 4, "blocks.2": 4}


@pytest.mark.usefixtures("transformers")
@pytest.mark.parametrize("name", ["Unknown", "__doc__", None, 3])
def test_unknown_classes_are_not_built(beside, name):
    structure = structure_beside(beside({**CONFIG, "architectures": [name]}), TENSORS)
    assert structure.source == "config.json"
    assert MadeUp.built == 0


@pytest.mark.usefixtures("transformers")
def test_a_network_deeper_than_its_checkpoint_is_not_built(beside):
    structure = structure_beside(beside({**CONFIG, "num_hidden_layers": 10**9}), TENSORS)
    assert structure.source == "config.json"
    assert MadeUp.built == 0


@pytest.mark.usefixtures("transformers")
@pytest.mark.parametrize("within", [["text_config"], ["a", "b"]])
def test_a_network_with_a_deeper_one_inside_is_not_built(beside, within):
    config: dict[str, object] = {"num_layers": 10**9}
    for section in reversed(within):
        config = {section: config}
    assert structure_beside(beside({**CONFIG, **config}), TENSORS).source == "config.json"
    assert MadeUp.built == 0


def test_a_network_of_more_modules_than_its_checkpoint_can_have_is_given_up(
    beside, transformers, monkeypatch
):
    made = []

    def endless(self, config):
        nn.Module.__init__(self)
        self.experts = nn.ModuleList()
        while True:
            made.append(self.experts.append(nn.Identity()))

    monkeypatch.setattr(MadeUp, "__init__", endless)
    structure = structure_beside(beside(CONFIG), TENSORS)
    assert structure.source.endswith("(more than 100 modules for 2 tensors)")
    assert len(made) < 100
    assert len(nn.Sequential(*(nn.Identity() for _ in range(200)))) == 200  # as ever


@pytest.mark.usefixtures("transformers")
def test_a_class_is_told_nothing_of_how_its_network_is_run(beside):
    run = {"attn_implementation": "org/kernel", "_attn_implementation": "org/kernel"}
    config = {**CONFIG, **run, "auto_map": {"AutoModel": "org/code--m.M"}, "text_config": run}
    built = MadeUpConfig.from_dict
    given = []

    def from_dict(content):
        given.append(content)
        return built(content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MadeUpConfig, "from_dict", staticmethod(from_dict))
        assert structure_beside(beside(config), TENSORS).layers
    assert given == [{**CONFIG, "text_config": {}}]


@pytest.mark.usefixtures("transformers")
@pytest.mark.parametrize(
    "part",
    [
        {"backbone": "org/name"},
        {"backbone_config": {"model_type": "timm_backbone", "backbone": "hf-hub:org/name"}},
        {"parts": [{"model_type": "timm_wrapper", "architecture": "hf-hub:org/name"}]},
    ],
)
def test_a_network_with_a_part_that_would_be_fetched_is_not_built(beside, part):
    structure = structure_beside(beside({**CONFIG, **part}), TENSORS)
    assert structure.source == "config.json"
    assert MadeUp.built == 0


def test_a_class_that_cannot_be_built_is_said(beside, transformers, monkeypatch):
    def fail(self, config):
        raise RuntimeError("no such\nthing")

    monkeypatch.setattr(MadeUp, "__init__", fail)
    structure = structure_beside(beside(CONFIG), TENSORS)
    assert structure.source == "config.json; transformers cannot build its class (no such)"
    assert structure.heads_of("blocks.") == 4
    assert transformers.MadeUp is MadeUp


def test_structure_of_a_wrapped_parametrized_module_is_that_of_the_bare_one():
    def network(norm):
        return nn.Sequential(norm(nn.ConvTranspose1d(4, 6, 3)), nn.ReLU(), norm(nn.Linear(6, 5)))

    bare = structure_of_live(network(lambda layer: layer))
    normed = structure_of_live(nn.DataParallel(network(nn.utils.parametrizations.weight_norm)))
    assert bare.layers.keys() == {"0.weight", "2.weight"}
    assert (normed.layers, normed.heads, normed.tied) == (bare.layers, bare.heads, bare.tied)
    assert list(map(list, normed.sequences)) == list(map(list, bare.sequences))


def test_keys_of_configs_that_differ_are_those_that_both_have_of_the_network():
    a = {"parallel": True, "text": {"heads": 4, "width": 8}, "dtype": "float32", "only": 1}
    b = {"parallel": False, "text": {"heads": 2, "width": 8}, "dtype": "bfloat16", "other": 1}
    assert differing_keys(a, b) == ["parallel (True, False)", "text.heads (4, 2)"]
    assert differing_keys(a, a) == []
