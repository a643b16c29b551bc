"""The audit names exactly the steps that are not what they claim to be."""

import random

import numpy as np
import pytest
import torch
from tests.audit.made_up_steps import (
    audit_of,
    convolutional_run,
    flags_of,
    named,
    transformer_run,
    walk,
)

from specflow.audit import scan
from specflow.audit.findings import read_audit, write_audit
from specflow.errors import SpecflowError


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
    for place in (1, count // 2, count - 1):
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
    assert {kind for _, kind in flags_of(weights)} == {"quantized"}  # without their scales
    found = flags_of(changed(weights, (1,), (6,)))
    assert {10, 60} & {step for step, kind in found if kind != "quantized"}


def test_frozen_matrix_is_no_identical_step():
    weights = walk()
    for one in weights:
        one["layers.0.weight"] = weights[0]["layers.0.weight"]
    assert flags_of(weights) == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_steps_are_audited(count):
    assert flags_of(walk(count)) == []


def test_two_runs_that_pass_for_one_are_told_apart_by_the_smaller_part():
    weights = [*walk(5), *walk(3, seed=1)]
    assert flags_of(weights) == named("another_initialization", (5, 6, 7))


def test_what_comes_before_most_steps_is_never_called_foreign():
    assert flags_of([*walk(3, seed=1), *walk(5)]) == []


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


@pytest.mark.parametrize("dtype", [torch.int8, torch.complex64], ids=str)
def test_matrix_that_is_not_in_floating_point_at_one_step_is_named(tmp_path, dtype):
    weights = walk(6)
    weights[2]["layers.1.weight"] = weights[2]["layers.1.weight"].to(dtype)
    (flag,) = (one for one in audit_of(tmp_path, weights).flags if one.flag != "quantized")
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

    def killed_at_third(checkpoints, index, length, workers):
        if index == 3 and 3 not in scanned:
            scanned.append(index)
            raise KeyboardInterrupt
        scanned.append(index)
        return scanning(checkpoints, index, length, workers)

    monkeypatch.setattr(scan, "_scan", killed_at_third)
    with pytest.raises(KeyboardInterrupt):
        audit_of(tmp_path, weights)
    assert audit_of(tmp_path, weights) == expected
    assert scanned == [0, 1, 2, 3, 3, 4, 5, 6, 7]


def test_a_step_with_few_of_many_tensors_is_compared_by_the_same_entries(tmp_path):
    generator = torch.Generator().manual_seed(0)
    names = [f"layers.{n}.weight" for n in range(30)]
    start = {n: torch.randn(80, 70, generator=generator) for n in names}
    noise = {n: torch.randn(80, 70, generator=generator) for n in names}
    weights = [{n: start[n] + 0.1 * step * noise[n] for n in names} for step in range(5)]
    weights[2] = dict(list(weights[2].items())[:3])
    flags = audit_of(tmp_path, weights).flags
    assert {(flag.step, flag.flag) for flag in flags} == {(20, "missing")}


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
