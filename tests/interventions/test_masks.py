import pytest
import torch

from specflow.interventions.masks import Mask, magnitude_masks, random_masks, ticket_masks

CPU = torch.device("cpu")


def _weights() -> dict[str, torch.Tensor]:
    """Matrices of three sizes and three scales, so that one threshold keeps other shares."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"a": (20, 33), "kernel": (8, 3, 3, 3), "c": (1, 6)}
    return {
        name: scale * torch.randn(*shape, generator=generator)
        for scale, (name, shape) in enumerate(shapes.items(), start=1)
    }


def _naive(weights: dict[str, torch.Tensor], density: float) -> dict[str, torch.Tensor]:
    entries = [
        (-abs(value), place, name, index)
        for place, (name, weight) in enumerate(weights.items())
        for index, value in enumerate(weight.flatten().tolist())
    ]
    kept = {name: torch.zeros(weight.numel()) for name, weight in weights.items()}
    for _, _, name, index in sorted(entries, key=lambda entry: (entry[0], entry[1], entry[3]))[
        : round(density * len(entries))
    ]:
        kept[name][index] = 1
    return {name: kept[name].view(weight.shape) for name, weight in weights.items()}


def _total(masks: dict[str, Mask]) -> int:
    return sum(mask.num_kept for mask in masks.values())


@pytest.mark.parametrize("density", [0.002, 0.05, 0.37, 0.5, 0.999, 1.0])
def test_magnitude_masks_match_naive(density):
    weights = _weights()
    masks = magnitude_masks(weights, density)
    expected = _naive(weights, density)
    assert list(masks) == list(weights)
    for name, mask in masks.items():
        assert torch.equal(mask.kept.float(), expected[name])


@pytest.mark.parametrize("density", [0.002, 0.05, 0.123, 0.5, 0.999])
def test_density_is_reached_within_one_weight(density):
    weights = _weights()
    total = sum(weight.numel() for weight in weights.values())
    kept = _total(magnitude_masks(weights, density))
    assert kept == round(density * total)
    assert abs(kept - density * total) < 1


def test_every_kept_weight_is_at_least_as_large_as_every_other():
    weights = _weights()
    masks = magnitude_masks(weights, 0.3)
    kept = torch.cat([weights[name][mask.kept] for name, mask in masks.items()]).abs()
    others = torch.cat([weights[name][~mask.kept] for name, mask in masks.items()]).abs()
    assert kept.min() >= others.max()
    assert len({round(mask.density, 2) for mask in masks.values()}) == 3  # one threshold for all


def test_ties_are_broken_by_order_and_density_is_still_reached():
    weights = {"a": torch.tensor([[1.0, -2.0], [2.0, 1.0]]), "b": torch.full((2, 3), -2.0)}
    masks = magnitude_masks(weights, 0.4)
    assert masks["a"].kept.tolist() == [[False, True], [True, False]]
    assert masks["b"].kept.tolist() == [[True, True, False], [False, False, False]]
    again = magnitude_masks(weights, 0.4)
    assert all(torch.equal(masks[name].kept, again[name].kept) for name in masks)


def test_random_masks_keep_as_many_of_every_layer_elsewhere():
    magnitude = magnitude_masks(_weights(), 0.3)
    random = random_masks(magnitude, seed=3)
    assert list(random) == list(magnitude)
    for name, mask in random.items():
        assert mask.kept.shape == magnitude[name].kept.shape
        assert mask.num_kept == magnitude[name].num_kept
        assert 0 < mask.density < 1
    assert not torch.equal(random["a"].kept, magnitude["a"].kept)


def test_random_masks_depend_on_the_seed_alone():
    like = magnitude_masks(_weights(), 0.3)
    first = random_masks(like, seed=3)
    torch.manual_seed(7)
    assert all(torch.equal(first[n].kept, m.kept) for n, m in random_masks(like, 3).items())
    assert not torch.equal(first["a"].kept, random_masks(like, seed=4)["a"].kept)


def test_random_places_are_spread_evenly():
    like = {"a": Mask(torch.arange(1000).view(10, 100) < 300)}
    kept = torch.stack([random_masks(like, seed)["a"].kept for seed in range(200)]).double()
    assert abs(kept.mean(0) - 0.3).max() < 5 * (0.3 * 0.7 / 200) ** 0.5


def test_kinds_of_tickets_have_the_masks_of_their_names():
    weights = _weights()
    masks = {
        kind: ticket_masks(weights, kind=kind, density=0.2, seed=5)["a"].kept
        for kind in ("magnitude", "random", "reinitialized")
    }
    magnitude = magnitude_masks(weights, 0.2)
    assert torch.equal(masks["magnitude"], magnitude["a"].kept)
    assert torch.equal(masks["reinitialized"], masks["magnitude"])
    assert torch.equal(masks["random"], random_masks(magnitude, 5)["a"].kept)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_masked_weight_is_itself_where_kept_and_exactly_zero_elsewhere(dtype):
    weight = torch.tensor([[1.5, -2.0], [torch.nan, torch.inf]], dtype=dtype)
    before = weight.clone()
    masked = Mask(torch.tensor([[1, 0], [0, 0]])).apply(weight)
    assert masked.dtype == dtype
    assert masked.tolist() == [[1.5, 0.0], [0.0, 0.0]]
    torch.testing.assert_close(weight, before, equal_nan=True, rtol=0, atol=0)


def test_masking_twice_is_masking_once():
    weight = _weights()["a"]
    mask = magnitude_masks({"a": weight}, 0.4)["a"].to(CPU)
    assert torch.equal(mask.apply(mask.apply(weight)), mask.apply(weight))


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32], ids=str)
def test_density_is_the_share_of_ones(dtype):
    mask = Mask(torch.tensor([[1, 0, 0, 0]], dtype=dtype))
    assert (mask.num_kept, mask.density) == (1, 0.25)


@pytest.mark.parametrize("value", [0.5, 2.0, -1.0, float("nan"), float("inf")])
def test_anything_but_zero_and_one_is_refused(value):
    with pytest.raises(ValueError, match=r"a mask holds .*; expected nothing but 0 and 1"):
        Mask(torch.tensor([1.0, 0.0, value]))


def test_empty_mask_is_refused():
    with pytest.raises(ValueError, match=r"shape \(0, 3\) is empty"):
        Mask(torch.ones(0, 3))


@pytest.mark.parametrize("shape", [(3, 2), (2,), (1, 3), (2, 3, 1)])
def test_weight_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(2, 3\) does not fit a weight of shape"):
        Mask(torch.ones(2, 3)).apply(torch.ones(shape))


@pytest.mark.parametrize("density", [0.0, -0.1, 1.1, float("nan")])
def test_density_outside_zero_to_one_is_refused(density):
    with pytest.raises(ValueError, match="density is"):
        magnitude_masks(_weights(), density)


def test_density_that_keeps_nothing_is_refused():
    with pytest.raises(ValueError, match="density 1e-05 keeps none of 882 weights"):
        magnitude_masks(_weights(), 1e-5)


def test_weight_that_is_not_finite_is_named():
    with pytest.raises(ValueError, match="kernel is not finite"):
        magnitude_masks({**_weights(), "kernel": torch.tensor([torch.nan])}, 0.5)
