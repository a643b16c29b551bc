"""Flags of many tensors are told together, and nothing of them is lost."""

import json
import re

import torch
from tests.audit.made_up_steps import save_steps
from tests.commands import ended_with

from specflow.audit.grouping import in_groups


def flags(kind, names, step=30):
    return [(step, name, kind, f"shape ({place},) in most steps") for place, name in names]


def numbered(stem, count, start=0):
    return [(place, f"{stem}.{place}.w") for place in range(start, start + count)]


def test_many_tensors_of_a_part_are_one_line_with_their_number_and_first_names():
    found = in_groups(flags("missing", [*numbered("model.layers", 500), (7, "lm_head.weight")]))
    assert found == [
        (
            30,
            "model.layers.0.w, model.layers.1.w, model.layers.2.w, ...",
            "missing",
            "500 tensors of model.layers, the first: shape (0,) in most steps",
        ),
        (30, "lm_head.weight", "missing", "shape (7,) in most steps"),
    ]


def test_few_tensors_and_other_flags_stay_as_they_are():
    few = flags("extra", numbered("h", 3))
    others = [(30, f"h.{n}.w", "of_another_step", f"that of step {n}") for n in range(9)]
    assert in_groups([*few, *others]) == [*few, *others]


def test_steps_and_flags_are_told_apart():
    lines = [
        line
        for step in (1, 2)
        for kind in ("missing", "reshaped")
        for line in flags(kind, numbered("h", 5), step)
    ]
    found = in_groups(lines)
    assert [(step, kind) for step, _, kind, _ in found] == [
        (1, "missing"),
        (1, "reshaped"),
        (2, "missing"),
        (2, "reshaped"),
    ]


def test_every_tensor_is_counted_once():
    """Also where no two names have a part in common: then all are one."""
    for stems in (["a", "b.c", "d"], [chr(97 + n) for n in range(20)]):
        names = [name for stem in stems for name in numbered(stem, 7)]
        found = in_groups(flags("missing", names))
        assert sum(int(re.match(r"\d+", said)[0]) for *_, said in found) == len(names)
        assert len(found) <= 10


def test_partial_shard_is_a_few_lines_on_terminal_and_page_and_whole_in_json(
    workplace, capsys, undrawn
):
    whole = {f"model.layers.{n}.weight": torch.randn(4, 3) for n in range(60)}
    part = dict(list(whole.items())[:20])
    save_steps(workplace / "run", [0, 1, 2], [whole, part, {n: w + 1 for n, w in whole.items()}])
    assert ended_with("analyze", "run/*.pt", "-o", "out", "--quick") == 3
    (said,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("step 1:"))
    assert "missing: model.layers.20.weight, " in said
    assert "40 tensors of model.layers" in said
    page = (workplace / "out/index.html").read_text()
    assert page.count("<td>missing</td>") == 1
    assert "Flags on 1 of 3 steps: 40 missing." in page
    kept = json.loads((workplace / "out/audit.json").read_text())["flags"]
    assert len([flag for flag in kept if flag["flag"] == "missing"]) == 40
