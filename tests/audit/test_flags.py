"""The audit names exactly the steps that are not what they claim to be."""

import random

import numpy as np
import pytest
import torch
from tests.audit.made_up_steps import audit_of, convolutional_run, named_of, transformer_run, walk

from specflow.audit import scan
from specflow.audit.findings import read_audit, write_audit
from specflow.errors import SpecflowError


def flags_of(weights):
    """Flags of the audit of weights as steps 0, 10, 20, ..., as (step, flag)."""
    return sorted((10 * place, flag) for place, flag in named_of(weights))


def named(flag, places):
    return [(10 * place, flag) for place in sorted(places)]


def changed(weights, places, sources):
    result = list(weights)
    for place, source in zip(places, sources, strict=True):
        result[place] = weights[source]
    return result


@pytest.mark.parametrize("run", [transformer_run, convolutional_run])
def test_swapped_moved_duplicated_and_replaced_steps_of_a_training_are_named(run):
    weights, others = run(0), run(1)
    count, choose = len(weights), random.Random(0)
    assert count == 11
    assert flags_of(weights) == []
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
    adjacent = [(a, a + 1) for a in range(count - 1)]
    for a, b in [*adjacent, *choose.sample(pairs, 4)]:
        found = flags_of(changed(weights, (a, b), (b, a)))
        assert found == named("out_of_order", (a, b))
    for _ in range(2):
        places = choose.sample(range(count), 4)
        found = flags_of(changed(weights, places, places[1:] + places[:1]))
        assert found == named("out_of_order", places)
        a, b = places[:2]
        guilty = (a,) if abs(a - b) > 1 else (a, b)  # of neighbours it is not clear which
        assert flags_of(changed(weights, (a,), (b,))) == named("identical", guilty)
    for place in (0, count // 2, count - 1):
        replaced = [*weights[:place], others[place], *weights[place + 1 :]]
        assert flags_of(replaced) == named("another_initialization", (place,))


def test_noise_around_a_minimum_is_not_flagged():
    generator = torch.Generator().manual_seed(0)
    minimum = torch.randn(40, 30, generator=generator)
    way = [minimum * done for done in np.linspace(0.3, 0.95, 6)]
    noise = [minimum + 0.02 * torch.randn(40, 30, generator=generator) for _ in range(14)]
    weights = [{"weight": weight} for weight in [*way, *noise]]
    assert flags_of(weights) == []
    swapped = changed(weights, (2, 12), (12, 2))
    assert flags_of(swapped) == named("out_of_order", (2, 12))


def test_copies_of_a_step_are_named_and_not_their_source(tmp_path):
    audit = audit_of(tmp_path, changed(walk(), (2, 6), (4, 4)))
    assert [(flag.step, flag.flag) for flag in audit.flags] == named("identical", (2, 6))
    assert audit.flags[0].evidence == "every tensor is that of step 40 and 60"


def test_steps_that_are_all_identical_are_named():
    assert flags_of([walk(1)[0]] * 3) == named("identical", range(3))


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.int8], ids=str)
def test_copies_of_weights_of_8_bits_are_named(dtype):
    weights = [{n: (20 * w).to(dtype) for n, w in state.items()} for state in walk()]
    assert flags_of(weights) == []
    assert {10, 60} & {step for step, _ in flags_of(changed(weights, (1,), (6,)))}


def test_frozen_matrix_is_no_identical_step():
    weights = walk()
    for one in weights:
        one["layers.0.weight"] = weights[0]["layers.0.weight"]
    assert flags_of(weights) == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_steps_are_audited(count):
    assert flags_of(walk(count)) == []


def test_two_runs_that_pass_for_one_are_told_apart_by_the_smaller_part():
    weights = [*walk(3, seed=1), *walk(5)]
    assert flags_of(weights) == named("another_initialization", (0, 1, 2))


def test_values_and_structure_are_flagged_where_they_are(tmp_path):
    weights = walk()
    weights[1]["layers.0.weight"][3, 2] = torch.nan
    weights[2]["layers.1.weight"] = torch.zeros(10, 12)
    del weights[3]["layers.0.weight"]
    weights[4]["layers.1.bias"] = torch.zeros(11)
    weights[5]["more"] = torch.zeros(2, 2)
    weights[6]["layers.1.weight"][0, 0] = -torch.inf
    found = audit_of(tmp_path, weights).flags
    assert [(flag.step, flag.flag, flag.tensor, flag.evidence) for flag in found] == [
        (10, "non_finite", "layers.0.weight", "NaN or infinity among shape (12, 9)"),
        (20, "zero", "layers.1.weight", "all of shape (10, 12) are 0, and were not before"),
        (30, "missing", "layers.0.weight", "shape (12, 9) in most steps, absent here"),
        (40, "reshaped", "layers.1.bias", "shape (11,); shape (10,) in most steps"),
        (50, "extra", "more", "shape (2, 2) here, absent in most steps"),
        (60, "non_finite", "layers.1.weight", "NaN or infinity among shape (10, 12)"),
    ]


def test_steps_without_any_expected_matrix_are_not_called_identical():
    weights = walk(5)
    for place, sizes in ((3, (7, 7)), (4, (8, 7))):
        weights[place] = {name: torch.ones(sizes[: w.ndim]) for name, w in weights[0].items()}
    assert set(flags_of(weights)) == {(30, "reshaped"), (40, "reshaped")}


@pytest.mark.parametrize("dtype", [torch.int8, torch.complex64, torch.float8_e4m3fn], ids=str)
def test_matrix_that_is_not_in_floating_point_at_one_step_is_named(tmp_path, dtype):
    weights = walk(6)
    weights[2]["layers.1.weight"] = weights[2]["layers.1.weight"].to(dtype)
    (flag,) = audit_of(tmp_path, weights).flags
    assert (flag.step, flag.tensor, flag.flag) == (20, "layers.1.weight", "reshaped")
    assert flag.evidence == f"dtype {dtype}; float32 in other steps".replace("torch.", "")


def test_changes_are_those_of_numpy(tmp_path):
    weights = walk(3)
    changes = audit_of(tmp_path, weights).changes["layers.1"]
    before, now = (weights[place]["layers.1.weight"].double().numpy() for place in (1, 2))
    change = np.linalg.norm(now - before) / np.linalg.norm(before)
    cosine = (now * before).sum() / np.linalg.norm(now) / np.linalg.norm(before)
    assert (changes.relative_change[0], changes.cosine[0]) == (None, None)
    assert changes.relative_change[2] == pytest.approx(change, rel=1e-5)
    assert changes.cosine[2] == pytest.approx(cosine, rel=1e-5)


def test_audit_does_not_depend_on_workers(tmp_path):
    assert audit_of(tmp_path, walk(), workers=3) == audit_of(tmp_path, walk())


def test_audit_goes_on_after_the_steps_that_are_kept(tmp_path, monkeypatch):
    """A killed audit reads no weight of finished steps again, and says the same."""
    weights, expected = walk(), audit_of(tmp_path, walk())
    scanned, scanning = [], scan._scan

    def killed_at_third(checkpoints, index, workers):
        if index == 3 and 3 not in scanned:
            scanned.append(index)
            raise KeyboardInterrupt
        scanned.append(index)
        return scanning(checkpoints, index, workers)

    monkeypatch.setattr(scan, "_scan", killed_at_third)
    with pytest.raises(KeyboardInterrupt):
        audit_of(tmp_path, weights)
    assert audit_of(tmp_path, weights) == expected
    assert scanned == [0, 1, 2, 3, 3, 4, 5, 6, 7]


def test_audit_file_says_what_is_not_analysed(tmp_path):
    audit = audit_of(tmp_path, walk(3), exclude=["layers.0*"])
    write_audit(tmp_path / "out" / "audit.json", audit)
    assert read_audit(tmp_path / "out" / "audit.json") == audit
    assert set(audit.skipped) == {"layers.0.weight", "layers.1.bias"}


@pytest.mark.parametrize(("text", "match"), [(None, "there is no such file"), ("{", "is no JSON")])
def test_file_that_is_no_audit_is_refused(tmp_path, text, match):
    path = tmp_path / "audit.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SpecflowError, match=match):
        read_audit(path)


def shards(count, seed=0):
    """Steps of a slowing run of six tensors, the first three in one shard."""
    names = [
        f"blocks.{number}.{part}" for number in range(2) for part in ("w.weight", "norm.weight")
    ]
    shapes = {"embed.weight": (50, 16), **{n: (24, 16) if ".w." in n else (24,) for n in names}}
    shapes["head.weight"] = (50, 16)
    generator = torch.Generator().manual_seed(seed)
    state = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    steps = []
    for time in range(count):
        steps.append({name: weight.clone() for name, weight in state.items()})
        for weight in state.values():
            weight += 0.3 * np.exp(-time / 6) * torch.randn(weight.shape, generator=generator)
    return steps, list(shapes)[:3]


@pytest.mark.parametrize(("count", "places"), [(12, (5, 7)), (20, (6, 13)), (12, (0, 1, 2))])
def test_shard_of_the_last_step_is_named_with_steps_and_tensors(tmp_path, count, places):
    weights, shard = shards(count)
    for place in places:
        weights[place] |= {name: weights[-1][name] for name in shard}
    flags = audit_of(tmp_path, weights).flags
    assert [(flag.step, flag.flag) for flag in flags] == named("of_another_step", places)
    assert {flag.tensor for flag in flags} == {", ".join(shard)}
    between = 10 * min(place for place in range(places[0], count) if place not in places)
    said = f"3 of 6 tensors: bit for bit that of step {10 * (count - 1)}, and differs at "
    assert flags[0].evidence == f"{said}step {between}"


def test_few_entries_that_come_back_are_no_copy():
    """A scale that is clipped, and a norm of few entries in few bits."""
    weights, _ = shards(8)
    for time, state in enumerate(weights):
        state["scale"] = torch.tensor(min(4.6, 4.0 + time % 3))
        state["norm.weight"] = 1 + torch.eye(8)[0] * (time % 2) / 128
    assert flags_of(weights) == []


def test_tensor_that_stays_for_a_while_is_no_copy():
    """Unfrozen midway, and frozen again."""
    weights, shard = shards(9)
    for place in (0, 1, 2, 7, 8):
        weights[place] |= {name: weights[2 if place < 3 else 7][name] for name in shard}
    assert flags_of(weights) == []


def test_one_step_that_differs_where_all_others_are_equal_is_named(tmp_path):
    weights, shard = shards(9)
    for place in (*range(4), *range(5, 9)):
        weights[place] |= {name: weights[0][name] for name in shard}
    (flag,) = audit_of(tmp_path, weights).flags
    assert (flag.step, flag.flag) == (40, "altered")
    assert "equal, bit for bit, at 8 steps before and after" in flag.evidence


def test_frozen_tensors_are_told_and_no_fault(tmp_path):
    weights, shard = shards(5)
    for state in weights:
        state |= {name: weights[0][name] for name in shard}
    audit = audit_of(tmp_path, weights)
    assert (audit.flags, audit.frozen) == ((), tuple(shard))
    assert f"3 tensors are the same at all steps (frozen): {', '.join(shard)}" in audit.notes


def ungathered(state):
    """Every second tensor without its entries."""
    return {n: w[:0].reshape(-1) if k % 2 else w for k, (n, w) in enumerate(state.items())}


def test_empty_tensors_are_named_with_what_gathers_them(tmp_path):
    weights, _ = shards(4)
    weights[2] = ungathered(weights[2])
    (flag,) = audit_of(tmp_path, weights).flags
    assert (flag.step, flag.flag) == (20, "empty")
    assert flag.evidence.startswith("3 of 6 tensors: no entries")
    assert "zero_to_fp32.py" in flag.evidence


def test_step_with_holes_that_is_else_a_copy_is_the_guilty_one():
    weights, _ = shards(4)
    weights[2] = ungathered(weights[0])
    assert flags_of(weights) == [(20, "empty"), (20, "of_another_step")]


def test_where_most_steps_are_empty_the_whole_ones_are_not_named():
    weights, _ = shards(5)
    holes = [ungathered(state) for state in weights[:3]]
    assert flags_of([*holes, *weights[3:]]) == named("empty", range(3))


ZERO_AT_FIRST = {
    "lora_B": "layers.0.q.lora_B.default.weight",
    "embedding": "embed.lora_embedding_B.default",
    "output": "head.zero_initialized.weight",
    "adaLN": "blocks.0.adaLN_modulation.1.weight",
}


@pytest.mark.parametrize("name", ZERO_AT_FIRST.values(), ids=ZERO_AT_FIRST)
@pytest.mark.parametrize("count", [1, 6])
def test_what_is_initialized_to_zero_is_no_fault(name, count):
    weights, _ = shards(count)
    for time, state in enumerate(weights):
        state[name] = time * torch.ones(16, 8)
        state["layers.0.bias"] = torch.zeros(16)
    assert flags_of(weights) == []


def test_adapter_that_starts_anew_is_no_fault():
    weights, _ = shards(6)
    for time, state in enumerate(weights):
        state["q.lora_B.weight"] = (time % 3) * torch.randn(16, 8)
    assert flags_of(weights) == []


def test_weights_that_are_zero_at_every_step_are_told(tmp_path):
    weights, _ = shards(3)
    for state in weights:
        state["lost.weight"] = torch.zeros(4, 4)
    audit = audit_of(tmp_path, weights)
    assert audit.flags == ()
    assert "1 weight matrices are 0 at every step: lost.weight" in audit.notes
