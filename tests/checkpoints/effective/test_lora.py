"""Of the factors of LoRA the matrix that they are, and the weight that layers apply with it."""

import json
import math

import pytest
import torch
from torch import nn

import specflow
from specflow.checkpoints.live import LiveCheckpoints
from specflow.checkpoints.opening import open_checkpoint
from specflow.errors import SpecflowError
from specflow.wiring.tensors import TensorInfo

EXACT = 4e-13


def factors(rank=3, inputs=7, outputs=5, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    shapes = {"w": (outputs, inputs), "a": (rank, inputs), "b": (outputs, rank), "m": (outputs,)}
    return {
        name: torch.randn(shape, generator=generator).to(dtype) for name, shape in shapes.items()
    }


def opened(folder, state, config=None):
    folder.mkdir(exist_ok=True)
    torch.save(state, folder / "adapter_model.bin")
    if config is not None:
        (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", **config}))
    return open_checkpoint(folder / "adapter_model.bin")


def twin(given, scale, inputs=7):
    """Return what a layer with LoRA makes of unit inputs, one after the other."""
    columns = []
    for unit in torch.eye(inputs, dtype=torch.float64):
        low = given["a"].double() @ unit
        columns.append(given["w"].double() @ unit + scale * (given["b"].double() @ low))
    return torch.stack(columns, dim=1)


NAMES = {
    "peft, saved": ("base_model.model.{}.lora_A.weight", "base_model.model.{}.lora_B.weight"),
    "peft, state dict": (
        "base_model.model.{}.lora_A.default.weight",
        "base_model.model.{}.lora_B.default.weight",
    ),
    "torchtune": ("{}.lora_a.weight", "{}.lora_b.weight"),
    "loralib": ("{}.lora_A", "{}.lora_B"),
    "diffusers": ("{}.lora.down.weight", "{}.lora.up.weight"),
    "kohya": ("{}.lora_down.weight", "{}.lora_up.weight"),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", NAMES)
def test_product_and_weight_with_it_are_what_the_layer_applies(tmp_path, kind, dtype):
    given = factors(dtype=dtype)
    a, b = (name.format("h.0.q") for name in NAMES[kind])
    base = "base_model.model.h.0.q.base_layer.weight" if "peft" in kind else "h.0.q.weight"
    state = {base: given["w"], a: given["a"], b: given["b"]}
    with opened(tmp_path, state, {"lora_alpha": 6, "r": 3}) as tensors:
        assert set(tensors.infos) == {"h.0.q.weight", "h.0.q.lora"}
        assert tensors.composed == {
            "h.0.q.lora": "LoRA: 2 B A",
            "h.0.q.weight": "LoRA: W + 2 B A",
        }
        expected = twin(given, 2.0)
        assert torch.allclose(tensors.read("h.0.q.weight"), expected, rtol=EXACT, atol=1e-14)
        added = expected - given["w"].double()
        assert torch.allclose(tensors.read("h.0.q.lora"), added, rtol=EXACT, atol=1e-14)
        assert tensors.infos["h.0.q.lora"] == TensorInfo((5, 7), torch.float64)


def test_without_alpha_the_product_stands_alone_and_says_so(tmp_path):
    given = factors()
    state = {"q.weight": given["w"], "q.lora_A.weight": given["a"], "q.lora_B.weight": given["b"]}
    with opened(tmp_path, state) as tensors:
        assert tensors.composed == {
            "q.lora": "LoRA: B A without its scale, as alpha is not known",
            "q.weight": "LoRA: W as it is, without B A, as alpha is not known",
        }
        assert torch.allclose(tensors.read("q.lora"), given["b"] @ given["a"])
        assert torch.equal(tensors.read("q.weight"), given["w"])


CONFIGS = {
    "alpha / r": ({"lora_alpha": 6}, 2.0),
    "rank-stabilized": ({"lora_alpha": 6, "use_rslora": True}, 6 / math.sqrt(3)),
    "rank of the layer": ({"lora_alpha": 6, "r": 16, "rank_pattern": {"q": 3}}, 2.0),
    "alpha of the layer": ({"lora_alpha": 6, "alpha_pattern": {"h.0.q": 3, "q": 9}}, 1.0),
    "alpha of another": ({"lora_alpha": 6, "alpha_pattern": {"0.qu": 3, "^q": 9}}, 2.0),
    "alpha at the start": ({"lora_alpha": 6, "alpha_pattern": {"^h.0.q": 9}}, 3.0),
    "expression": ({"lora_alpha": 6, "alpha_pattern": {"(a+)+q": 3}}, None),
    "no number": ({"lora_alpha": "6"}, None),
    "not finite": ({"lora_alpha": math.inf}, None),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_scale_is_that_of_the_config(tmp_path, case):
    config, scale = CONFIGS[case]
    given = factors()
    with opened(tmp_path, state_of(given, "h.0.q"), config) as tensors:
        product = given["b"] @ given["a"] * (1.0 if scale is None else scale)
        assert torch.allclose(tensors.read("h.0.q.lora"), product, rtol=EXACT)
        with_it = f"W + {scale:g} B A" if scale is not None else "W as it is, without B A"
        assert tensors.composed["h.0.q.weight"].startswith(f"LoRA: {with_it}")


def state_of(given, layer, adapter=""):
    return {
        f"{layer}.weight": given["w"],
        f"{layer}.lora_A{adapter}.weight": given["a"],
        f"{layer}.lora_B{adapter}.weight": given["b"],
    }


def test_alpha_beside_the_factors_is_taken(tmp_path):
    given = factors()
    state = {
        "q.lora_down.weight": given["a"],
        "q.lora_up.weight": given["b"],
        "q.alpha": torch.tensor(1.5),
    }
    with opened(tmp_path, state) as tensors:
        assert tensors.composed == {"q.lora": "LoRA: 0.5 B A"}
        assert torch.allclose(tensors.read("q.lora"), given["b"] @ given["a"] / 2, rtol=EXACT)


@pytest.mark.parametrize("alpha", [math.inf, -math.inf, math.nan])
def test_alpha_that_is_not_finite_is_refused_with_its_place(tmp_path, alpha):
    given = factors()
    state = {"q.lora_down.weight": given["a"], "q.lora_up.weight": given["b"]}
    expected = rf"adapter_model\.bin: 'q\.alpha' is {alpha}; expected a finite number"
    with (
        pytest.raises(SpecflowError, match=expected),
        opened(tmp_path, state | {"q.alpha": torch.tensor(alpha)}),
    ):
        pass


@pytest.mark.parametrize("square", [False, True])
def test_weight_whose_inputs_come_first_is_told_by_shape_or_config(tmp_path, square):
    given = factors(outputs=7 if square else 5)
    state = state_of({**given, "w": given["w"].T.contiguous()}, "c_attn")
    with opened(tmp_path, state, {"lora_alpha": 3, "fan_in_fan_out": square}) as tensors:
        assert tensors.infos["c_attn.weight"].shape == tuple(given["w"].T.shape)
        assert torch.allclose(tensors.read("c_attn.weight"), twin(given, 1.0).T, atol=1e-14)


def test_embedding_is_tokens_first(tmp_path):
    given = factors(inputs=11, outputs=4)
    state = {
        "wte.weight": given["w"].T.contiguous(),
        "wte.lora_embedding_A": given["a"],
        "wte.lora_embedding_B": given["b"],
    }
    with opened(tmp_path, state, {"lora_alpha": 3}) as tensors:
        assert tensors.infos["wte.lora"].shape == (11, 4)
        assert torch.allclose(tensors.read("wte.weight"), twin(given, 1.0, 11).T, atol=1e-14)


def test_convolution_is_what_two_convolutions_in_a_row_make(tmp_path):
    torch.manual_seed(1)
    base, down = (nn.Conv2d(3, n, (3, 2), bias=False).double() for n in (6, 2))
    up = nn.Conv2d(2, 6, 1, bias=False).double()
    state = {
        "c.weight": base.weight.data,
        "c.lora_A.weight": down.weight.data,
        "c.lora_B.weight": up.weight.data,
    }
    image = torch.randn(1, 3, 8, 8, dtype=torch.float64)
    with opened(tmp_path, state, {"lora_alpha": 4}) as tensors, torch.no_grad():
        expected = base(image) + 2 * up(down(image))
        made = nn.functional.conv2d(image, tensors.read("c.weight"))
        assert torch.allclose(made, expected, atol=1e-13)


@pytest.mark.parametrize("inputs_first", [False, True])
def test_stacked_experts_have_a_product_each(tmp_path, inputs_first):
    """As peft stacks the factors of the experts of one parameter, and of another around it."""
    generator = torch.Generator().manual_seed(0)
    experts, rank, state, expected = 3, 2, {}, {}
    for name, place, outputs, inputs in (("up", "base_layer.", 8, 5), ("down", "", 5, 4)):
        weight, a, b = (
            torch.randn(experts, *shape, generator=generator, dtype=torch.float64)
            for shape in ((outputs, inputs), (rank, inputs), (outputs, rank))
        )
        kept = weight.mT if inputs_first else weight
        state[f"experts.base_layer.base_layer.{name}"] = kept.contiguous()
        state[f"experts.{place}lora_A.weight"] = a.flatten(0, 1)
        state[f"experts.{place}lora_B.weight"] = b.permute(1, 2, 0).flatten(1).contiguous()
        expected[name] = torch.stack([weight[e] + 2 * b[e] @ a[e] for e in range(experts)])
    config = {"lora_alpha": 4, "r": rank, "target_parameters": ["experts.up", "experts.down"]}
    with opened(tmp_path, state, config) as tensors:
        for name, weight in expected.items():
            read = tensors.read(f"experts.{name}")
            assert torch.allclose(read.mT if inputs_first else read, weight, atol=1e-14)
        assert tensors.infos["experts.lora"].shape == (experts, 5, 4)
        assert tensors.infos["experts.base_layer.lora"].shape == (experts, 8, 5)


def test_experts_of_unknown_number_are_skipped():
    state = {"experts.lora_A.weight": torch.ones(6, 7), "experts.lora_B.weight": torch.ones(5, 6)}
    live = LiveCheckpoints(state)
    assert not live.infos
    assert set(live.skipped.values()) == {"LoRA of experts whose number is not known"}


@pytest.mark.parametrize("inputs_first", [False, True])
def test_magnitudes_of_dora_are_the_norms_of_outputs(tmp_path, inputs_first):
    given = factors()
    weight = given["w"].T.contiguous() if inputs_first else given["w"]
    state = state_of({**given, "w": weight}, "q") | {"q.lora_magnitude_vector": given["m"].abs()}
    with opened(tmp_path, state, {"lora_alpha": 3}) as tensors:
        assert set(tensors.infos) == {"q.weight", "q.lora"}
        read = tensors.read("q.weight").T if inputs_first else tensors.read("q.weight")
    expected = twin(given, 1.0)
    assert torch.allclose(read.norm(dim=1), given["m"].abs(), rtol=EXACT)
    assert torch.allclose(nn.functional.normalize(read), nn.functional.normalize(expected))


def test_several_adapters_stand_beside_each_other_and_none_is_added(tmp_path):
    one, two = factors(), factors(rank=2, seed=1)
    state = state_of(one, "q", ".one") | state_of({**two, "w": one["w"]}, "q", ".two")
    with opened(tmp_path, state, {"lora_alpha": 3}) as tensors:
        assert set(tensors.infos) == {"q.weight", "q.lora.one", "q.lora.two"}
        assert torch.equal(tensors.read("q.weight"), one["w"])
        assert torch.allclose(tensors.read("q.lora.two"), two["b"] @ two["a"])


UNFIT = {
    "another rank": ((6, 7), (5, 3)),
    "groups": ((4, 8, 3, 3), (8, 2, 1, 1)),
    "too large": ((1, 2**16), (2**16, 1)),
}


@pytest.mark.parametrize("case", UNFIT)
def test_factors_that_make_no_matrix_are_skipped(case):
    a, b = (torch.zeros(shape) for shape in UNFIT[case])
    live = LiveCheckpoints({"e.lora_A.weight": a, "e.lora_B.weight": b})
    assert not live.infos
    assert set(live.skipped) == {"e.lora_A.weight", "e.lora_B.weight"}


def test_factors_of_another_library_that_lie_transposed_are_skipped():
    live = LiveCheckpoints({"q.lora_a": torch.ones(7, 3), "q.lora_b": torch.ones(3, 7)})
    assert not live.infos
    assert all("MLX" in why for why in live.skipped.values())


def test_factor_without_the_other_stays():
    live = LiveCheckpoints({"q.lora_A.weight": torch.ones(3, 7)})
    assert list(live.infos) == ["q.lora_A.weight"]


@pytest.mark.filterwarnings("ignore")
def test_spectrum_of_an_adapter_over_steps_is_that_of_its_product(workplace):
    norms = []
    for step in range(3):
        given = factors(seed=step)
        folder = workplace / f"checkpoint-{step}"
        state = {f"q.lora_{end.upper()}.weight": given[end] for end in "ab"}
        with opened(folder, state, {"lora_alpha": 6}):
            norms.append(torch.linalg.matrix_norm(2 * given["b"] @ given["a"], 2).item())
    table = specflow.analyze("checkpoint-*")
    assert table["matrix"].unique().tolist() == ["q.lora"]
    assert table["spectral_norm"].tolist() == pytest.approx(norms, rel=EXACT)
