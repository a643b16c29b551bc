import pytest

from specflow.schedule import History, path_lengths, share_of_cores

NAMES = ("resolve", "train@a", "train@b", "measure@a", "measure@b", "collect")
UPSTREAM = {
    "resolve": (),
    "train@a": ("resolve",),
    "train@b": ("resolve",),
    "measure@a": ("train@a",),
    "measure@b": ("train@b",),
    "collect": ("measure@a", "measure@b"),
}


def test_length_is_that_of_the_longest_path():
    weights = dict(zip(NAMES, (1, 10, 20, 5, 2, 3), strict=True))
    assert path_lengths(NAMES, UPSTREAM, weights) == {
        "resolve": 26,
        "train@a": 18,
        "train@b": 25,
        "measure@a": 8,
        "measure@b": 5,
        "collect": 3,
    }


@pytest.mark.parametrize(
    ("weight", "beside", "cores", "jobs", "expected"),
    [
        (10, 0, 8, 8, 8),  # alone: all cores
        (10, 10, 2, 2, 1),
        (10, 9.9, 2, 2, 1),  # as good as equal
        (10, 5, 2, 2, 2),  # what goes on beside it ends long before it does
        (10, 30, 2, 2, 1),
        (10, 1e9, 8, 8, 1),
        (10, 10, 64, 64, 32),
        (10, 1e9, 16, 1, 16),  # one at a time has all cores
        (10, 1e9, 16, 2, 8),
    ],
)
def test_share_of_cores(weight, beside, cores, jobs, expected):
    assert share_of_cores(weight, beside, cores, jobs) == expected


def test_weight_is_remembered_or_that_of_its_kind_or_guessed(tmp_path):
    path = tmp_path / "repro.json"
    assert History.read(path).weight("train@a") > History.read(path).weight("collect")
    History({"train@a": 10, "train@b": 30, "trainer": 1}, ["train@b"]).write(path)
    history = History.read(path)
    assert history.new == ["train@b"]
    assert [history.weight(name) for name in ("train@a", "train@c")] == [10, 20]
    assert history.weight("spectra@a") == History().weight("spectra@b")


@pytest.mark.parametrize("text", ["", "[]", '{"other": 1}'])
def test_unreadable_history_is_none(tmp_path, text):
    path = tmp_path / "repro.json"
    path.write_text(text)
    assert History.read(path) == History()
