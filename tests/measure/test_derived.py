"""What is measured on demand: against weights of the steps themselves, and nothing unless asked."""

import weakref

import numpy as np
import pytest
import torch
from tests.measure.made_up import Killed, dies_after
from tests.measure.walks import HEADS, SETTINGS, WIDTH, Walk, entries, measure, network, walk
from tests.quantities import ON_DEMAND

from specflow.checkpoints.stream import read_views
from specflow.measure import derived
from specflow.measure.layouts import SPECTRA
from specflow.scratch import Scratch
from specflow.spectra import QUANTITIES, effective_rank
from specflow.wiring import Matrix, Meeting, Pair, View, Wiring

FIRST, SECOND = "layers.0.weight", "layers.1.weight"
SPECTRA_OF = ("permuted_singular_values", "change_singular_values", "step_change_singular_values")
ALL = SETTINGS.model_copy(
    update={"more": ("random_matrix", "permuted", "power_law", "changes", "heads")}
)


def values_of(matrix: torch.Tensor) -> np.ndarray:
    return torch.linalg.svdvals(matrix.double()).numpy()


def test_nothing_is_added_unless_asked_for_and_then_nothing_else_changes(tmp_path, trained):
    """Files of runs stay as they were, byte by byte, and so does the version of their layout."""
    steps, wiring = trained
    (tmp_path / "more").mkdir()
    plain = entries(measure(tmp_path, Walk(steps), wiring))
    more = entries(measure(tmp_path / "more", Walk(steps), wiring, settings=ALL))
    assert SPECTRA.version == 3
    for name, arrays in plain.items():
        added = set(more[name]) - set(arrays)
        assert added == (set() if "->" in name else {*ON_DEMAND, *SPECTRA_OF})
        for key, value in arrays.items():
            np.testing.assert_array_equal(more[name][key], value)


def test_changes_are_those_since_the_first_step_and_since_the_one_before(tmp_path, trained):
    steps, wiring = trained
    found = entries(measure(tmp_path, Walk(steps), wiring, settings=ALL))[SECOND]
    for array, prefix, earlier in (
        ("change_singular_values", "change", [0, 0, 0]),
        ("step_change_singular_values", "step_change", [0, 1, 2]),
    ):
        assert np.isnan(found[array][0]).all()
        assert np.isnan(found[f"{prefix}_norm"][0])
        for index, other in zip((1, 2, 3), earlier, strict=True):
            S = values_of(steps[index][SECOND] - steps[other][SECOND].double())
            assert found[array][index] == pytest.approx(S, rel=1e-9)
            assert found[f"{prefix}_norm"][index] == pytest.approx(np.linalg.norm(S))
            rank = float(effective_rank(torch.from_numpy(S)))
            assert found[f"{prefix}_effective_rank"][index] == pytest.approx(rank)


def test_two_steps_of_a_matrix_are_in_memory_at_most(tmp_path, trained, monkeypatch):
    """So changes of a huge embedding take twice its size; the second step is compared once."""
    steps, wiring = trained
    held: list[weakref.ref] = []

    def read(tensors, views):
        found = {view: weight.clone() for view, weight in read_views(tensors, views).items()}
        held.extend(weakref.ref(weight) for weight in found.values())
        alive = sum(ref() is not None for ref in held)
        assert alive <= 2 * len(wiring.matrices)
        return found

    monkeypatch.setattr(derived, "read_views", read)
    settings = SETTINGS.model_copy(update={"more": ("permuted", "changes")})
    measure(tmp_path, Walk(steps), wiring, settings=settings)
    assert len(held) == (1 + 2 + 3 + 3) * len(wiring.matrices)


def test_matrix_that_stands_still_has_a_change_of_norm_zero_and_no_rank(tmp_path, trained):
    steps, wiring = trained
    for step in steps[1:]:
        step[FIRST] = steps[0][FIRST]
    found = entries(measure(tmp_path, Walk(steps), wiring, settings=ALL))[FIRST]
    assert found["change_norm"][1:].tolist() == [0, 0, 0]
    assert np.isnan(found["change_effective_rank"]).all()


@pytest.mark.parametrize("shape", [(6, 1, 3, 3), (8, 3, 1, 1)])
def test_grouped_convolution_changes_as_its_block_diagonal_matrix(tmp_path, shape):
    generator = torch.Generator().manual_seed(0)
    steps = [{"a": torch.randn(shape, generator=generator)} for _ in range(3)]
    groups = 6 if shape[1] == 1 else 2
    view = View("a", shape, groups=groups)
    wiring = Wiring((Matrix("a", "a", view),), ())
    found = entries(measure(tmp_path, Walk(steps), wiring, settings=ALL))["a"]
    blocks = (steps[2]["a"] - steps[0]["a"]).double().reshape(groups, shape[0] // groups, -1)
    expected = torch.linalg.svdvals(torch.block_diag(*blocks))
    count = min(view.rows, view.columns)
    assert found["change_singular_values"].shape == (3, count)
    np.testing.assert_allclose(found["change_singular_values"][2], expected[:count], atol=1e-6)
    energy = float(steps[2]["a"].double().square().sum())
    permuted = found["permuted_singular_values"][2]
    assert (permuted**2).sum() == pytest.approx(energy, rel=1e-6)
    of_noise = [name for name in ON_DEMAND if QUANTITIES[name].takes_shape]
    assert of_noise
    assert all(np.isnan(found[name]).all() for name in of_noise)


def test_permuted_entries_have_one_order_for_each_matrix(tmp_path, trained):
    """So a step more or less changes nothing of the others; norms are those of the matrix."""
    steps, wiring = trained
    (tmp_path / "last").mkdir()
    whole = entries(measure(tmp_path, Walk(steps), wiring, settings=ALL))
    last = entries(measure(tmp_path / "last", Walk(steps[3:]), wiring, settings=ALL))
    for name in (FIRST, SECOND):
        S = whole[name]["permuted_singular_values"]
        np.testing.assert_array_equal(S[3:], last[name]["permuted_singular_values"])
        norms = [float(step[name].double().norm()) for step in steps]
        assert np.linalg.norm(S, axis=1) == pytest.approx(norms)
        assert not np.allclose(S, whole[name]["singular_values"], rtol=1e-3)
        assert "change_norm" not in last[name]  # of a single step there is none


def test_quantities_on_demand_are_those_of_the_registry(tmp_path, trained):
    steps, wiring = trained
    found = entries(measure(tmp_path, Walk(steps), wiring, settings=ALL))[SECOND]
    for name in ON_DEMAND:
        one = QUANTITIES[name]
        shape = {"rows": 10, "columns": 12} if one.takes_shape else {}
        S = torch.from_numpy(found[one.of][2])
        assert found[name][2] == pytest.approx(float(one.function(S, **shape)), nan_ok=True), name


def test_what_is_absent_or_not_finite_is_nan_and_ends_nothing(tmp_path, trained):
    steps, wiring = trained
    steps[0][FIRST][0, 0] = torch.nan
    del steps[2][FIRST]
    found = entries(measure(tmp_path, Walk(steps), wiring, settings=ALL))[FIRST]
    assert np.isnan(found["permuted_effective_rank"]).tolist() == [True, False, True, False]
    assert np.isnan(found["change_norm"]).all()
    assert np.isnan(found["step_change_norm"]).all()
    assert np.isnan(found["noise_scale"]).tolist()[:3:2] == [True, True]


def test_heads_of_queries_and_keys_have_the_spectrum_of_their_product(tmp_path):
    model = network("transformer")
    steps = walk(model.state_dict(), 2)
    found = entries(measure(tmp_path, Walk(steps), model.wiring, settings=ALL))
    size = WIDTH // HEADS
    for index, weights in enumerate(steps):
        query, key, _ = weights["blocks.1.self_attn.in_proj_weight"].double().chunk(3)
        S = found["block 2 query -> block 2 key"]["head_singular_values"][index]
        assert S.shape == (HEADS, size)
        for head, own in enumerate(S):
            rows = slice(head * size, (head + 1) * size)
            whole = values_of(query[rows].T @ key[rows])
            assert own == pytest.approx(whole[:size], rel=1e-6)
            assert whole[size] < 1e-9


def test_heads_of_values_are_as_many_as_those_of_queries(tmp_path):
    model = network("transformer")
    steps = walk(model.state_dict(), 2)
    del steps[1]["blocks.0.self_attn.out_proj.weight"]
    found = entries(measure(tmp_path, Walk(steps), model.wiring, settings=ALL))
    _, _, value = steps[0]["blocks.0.self_attn.in_proj_weight"].double().chunk(3)
    out = steps[0]["blocks.0.self_attn.out_proj.weight"].double()
    S = found["block 1 value -> block 1 attention out"]["head_singular_values"]
    for own, rows, columns in zip(S[0], value.chunk(HEADS), out.chunk(HEADS, 1), strict=True):
        assert own == pytest.approx(values_of(columns @ rows)[: WIDTH // HEADS], rel=1e-6)
    assert np.isnan(S[1]).all()
    assert {name for name, one in found.items() if "head_singular_values" in one} == {
        f"block {block} {pair}"
        for block in (1, 2)
        for pair in (f"query -> block {block} key", f"value -> block {block} attention out")
    }


def test_values_that_meet_the_output_head_by_head_are_multiplied_too(tmp_path, trained):
    """Pairs of several meetings through inputs, as a value head and its columns of the output."""
    steps, wiring = trained
    first, second = (matrix.view for matrix in wiring.matrices[:2])
    read = [second.cut(second_cut) for second_cut in _columns(3)]
    meetings = tuple(
        Meeting(first.cut_rows(head, head + 1, 3), read[head], "left", "right") for head in range(3)
    )
    by_head = Wiring(wiring.matrices, (Pair("value -> attention out", meetings),))
    found = entries(measure(tmp_path, Walk(steps), by_head, settings=ALL))
    S = found["value -> attention out"]["head_singular_values"]
    for head, own in enumerate(S[1]):
        some = slice(4 * head, 4 * head + 4)
        whole = values_of(steps[1][SECOND][:, some].double() @ steps[1][FIRST][some].double())
        assert own == pytest.approx(whole[:4], rel=1e-6)


def _columns(count: int):
    from specflow.wiring import Cut

    return [Cut(1, head, head + 1, count) for head in range(count)]


@pytest.mark.parametrize("large", [False, True])
def test_workers_batches_and_kills_change_no_byte(tmp_path, trained, request, monkeypatch, large):
    steps, wiring = trained
    expected = measure(tmp_path, Walk(steps), wiring, settings=ALL).read_bytes()
    if large:
        request.getfixturevalue("batched")
    with monkeypatch.context() as patched:
        patched.setattr(Scratch, "save", dies_after(2, Scratch.save))
        with pytest.raises(Killed):
            measure(tmp_path, Walk(steps), wiring, settings=ALL)
    assert measure(tmp_path, Walk(steps), wiring, settings=ALL, workers=2).read_bytes() == expected
