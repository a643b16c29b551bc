from pathlib import Path

import pytest

from specflow.params.file import load_params
from specflow.plan import plan_table
from specflow.plan.table import human

PRESETS = Path(__file__).parents[2] / "presets"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0 "),
        (999, "999 "),
        (999.6, "1 k"),
        (14_728_266, "14.7 M"),
        (999_700, "1 M"),
        (2.5e18, "2.5 E"),
    ],
)
def test_numbers_have_three_digits_and_a_prefix(value, expected):
    assert human(value) == expected


def test_paper_preset_prints_every_experiment_and_connection():
    params = load_params(PRESETS / "paper.yaml")
    lines = plan_table(params).splitlines()
    table = lines[: lines.index("")]
    names = [line.split()[0] for line in table[1:]]
    expected = ["experiments", *params.experiments, "connections", *params.connections]
    expected += ["tickets", *params.tickets] if params.tickets else []
    assert names == [*expected, "sum"]
    assert len({len(line) for line in table if "B" in line}) == 1  # aligned at the right
    vgg = next(line for line in table if line.split()[0] == "vgg")
    assert vgg.split()[1:5] == ["3", "57,728", "14.7", "M"]


def amounts(line: str) -> dict[str, float]:
    """Members, checkpoints, FLOPs, stored and published bytes of a line of the table."""
    words = line.split()
    flops, checkpoints, stored, published = words[-7:-5], words[-5], words[-4:-2], words[-2:]
    values = {"members": float(words[1]), "checkpoints": float(checkpoints)}
    for name, (number, unit) in [("flops", flops), ("stored", stored), ("published", published)]:
        values[name] = float(number) * 1000.0 ** " kMGT".index(unit[0] if unit[1:] else " ")
    return values


def test_last_row_has_the_sums():
    params = load_params(PRESETS / "tiny.yaml")
    lines = plan_table(params).splitlines()
    table = lines[1 : lines.index("")]
    *rows, sums = [amounts(line) for line in table if len(line.split()) > 1]
    assert len(rows) == len(params.experiments) + len(params.connections) + len(params.tickets)
    for name, value in sums.items():
        expected = sum(row[name] for row in rows)
        exact = name in ("members", "checkpoints")
        assert value == expected if exact else value == pytest.approx(expected, rel=0.01), name


def test_only_speech_is_marked_as_an_estimate():
    paper = plan_table(load_params(PRESETS / "paper.yaml"))
    marked = [line.split()[0] for line in paper.splitlines() if " *" in line]
    assert set(marked) == {"lstm", "lstm_decay_0", "lstm_decay_1", "lstm_decay_10", "sum"}
    assert "423 frames" in paper
    assert "*" not in plan_table(load_params(PRESETS / "tiny.yaml"))
