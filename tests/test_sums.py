"""What specflow wrote is known again, and nothing else is touched."""

import os
from pathlib import Path

import torch
from tests.audit.made_up_steps import save_steps
from tests.commands import ended_with

from specflow.sums import SUMS, note, noted_in, remove_noted


def write(path, text):
    path.write_text(text)
    return path


def test_what_was_written_is_removed_and_what_is_the_users_stays(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("a.csv", "b.png", "edited.csv", "gone.csv"):
        note(write(folder / name, name))
    write(folder / "edited.csv", "by hand")
    (folder / "gone.csv").unlink()
    write(folder / "notes.txt", "mine")
    (folder / "mine").mkdir()
    remove_noted(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["edited.csv", "mine", "notes.txt"]
    remove_noted(folder)
    remove_noted(tmp_path / "not there")


def test_no_name_leads_out_of_the_folder(tmp_path):
    """A folder from elsewhere may hold anything; the digests are right."""
    folder = tmp_path / "out"
    folder.mkdir()
    outside = write(tmp_path / "outside.txt", "a")
    note(write(folder / "a.csv", "a"))
    (digest,) = noted_in(folder).values()
    names = ["../outside.txt", str(outside), "a\0b", "", ".", "..", "sub/../../outside.txt"]
    write(folder / SUMS, "".join(f"{digest}  {name}\n" for name in names))
    remove_noted(folder)
    assert outside.is_file()
    assert (folder / "a.csv").is_file()


def test_nothing_of_an_earlier_call_stays_that_the_next_does_not_make(workplace):
    torch.manual_seed(0)
    layer = "model.layers.0.self_attn"
    names = [f"{layer}.{part}.weight" for part in ("q_proj", "k_proj", "v_proj", "o_proj")]
    save_steps(workplace, range(2), [{n: torch.randn(8, 8) for n in names} for _ in range(2)])
    mine = Path("out", "figures", "mine.png")
    kept = []
    for command in (
        ["analyze", "step0.pt", "step1.pt", "--num-heads", "2"],
        ["analyze", "step0.pt", "step1.pt", "--num-heads", "2", "--quick"],
        ["compare", "step0.pt", "step1.pt"],
    ):
        for path in Path("out").rglob("*"):
            os.utime(path, (0, 0))
        assert ended_with(*command, "-o", "out") == 0
        files = [path for path in Path("out").rglob("*") if path.is_file()]
        kept.append({path.name for path in files})
        assert {path.name for path in files if not path.stat().st_mtime} <= {
            "mine.png",
            *(["audit.json", "spectra.h5"] if command[0] == "compare" else []),
        }
        mine.write_text("mine")
    assert "heads.csv" in kept[0] - kept[1]
    assert any(name.endswith(".png") for name in kept[0] - kept[1])
    assert mine.name in kept[2]
