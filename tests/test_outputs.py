"""Of a folder of results, what specflow wrote is known again, and nothing else is touched."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.audit.made_up_steps import save_steps
from tests.commands import ended_with
from tests.sealed import flipped

from specflow.errors import SpecflowError
from specflow.json_files import write_json
from specflow.outputs import WRITTEN, check_output, note_written, remove_written
from specflow.sums import SUMS, digest_of, note, noted_in

NAMES = ("tables/a.csv", "tables/edited.csv", "tables/gone.csv", "figures/b.png")


@pytest.fixture
def output(tmp_path) -> Path:
    """A folder with two tables and a figure of specflow, and one more table that is gone."""
    output = tmp_path / "out"
    for name in NAMES:
        path = write(output / name, name)
        if path.parent.name == "tables":
            note(path)
        note_written(output, path)
    (output / "tables" / "gone.csv").unlink()
    return output


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def list_as_users_do(folder: Path) -> bytes:
    """Write what `sha256sum *` does."""
    lines = (f"{digest_of(path)}  {path.name}\n" for path in sorted(folder.iterdir()))
    write(folder / SUMS, "".join(lines))
    return (folder / SUMS).read_bytes()


def files_in(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_what_was_written_is_removed_and_what_is_the_users_stays(output):
    write(output / "tables" / "edited.csv", "by hand")
    mine = {f"{folder}/{name}" for folder in ("tables", "figures") for name in ("x.csv", "y/b.png")}
    for name in mine:
        write(output / name, "tables/a.csv")
    remove_written(output)
    assert files_in(output).keys() == mine | {"tables/edited.csv", f"tables/{SUMS}", WRITTEN}
    left = files_in(output)
    remove_written(output)
    assert files_in(output) == left


def test_what_users_list_in_sha256sums_is_theirs(output):
    mine = [write(output / folder / "mine.png", "mine") for folder in ("tables", "figures")]
    listed = list_as_users_do(output / "figures")
    list_as_users_do(output / "tables")
    remove_written(output)
    assert all(path.is_file() for path in mine)
    assert (output / "figures" / SUMS).read_bytes() == listed
    assert "mine.png" in noted_in(output / "tables")
    assert "a.csv" not in noted_in(output / "tables")
    assert not (output / "tables" / "a.csv").exists()


@pytest.mark.parametrize("name", ["tables", "figures"])
def test_nothing_is_removed_through_a_link(output, tmp_path, name):
    archive = (output / name).rename(tmp_path / "archive")
    (output / name).symlink_to(archive)
    kept = files_in(tmp_path)
    for act in (check_output, remove_written):
        with pytest.raises(SpecflowError, match=f"out/{name}: got a link or a file; expected a"):
            act(output)
    assert files_in(tmp_path) == kept


def test_a_link_in_place_of_a_table_stays(output, tmp_path):
    table = output / "tables" / "a.csv"
    elsewhere = table.rename(tmp_path / "elsewhere.csv")
    table.symlink_to(elsewhere)
    remove_written(output)
    assert table.is_symlink()
    assert elsewhere.is_file()


@pytest.mark.parametrize(
    "name",
    ["../a.csv", "tables/../../a.csv", "/a.csv", "a.csv", "tables/", "tables/..", "tables/a\0.csv"],
)
def test_no_name_leads_out_of_the_folders(output, name):
    """A folder from elsewhere may hold anything, well sealed; the digests are right."""
    write(output.parent / "a.csv", "tables/a.csv")
    write_json(output / WRITTEN, {name: digest_of(output / "tables" / "a.csv")})
    kept = files_in(output.parent)
    with pytest.raises(SpecflowError, match=rf"{WRITTEN}: "):
        remove_written(output)
    assert files_in(output.parent) == kept


def test_a_list_that_is_not_what_was_written_removes_nothing(output):
    content = (output / WRITTEN).read_bytes()
    place = content.index(b"a.csv")
    for damaged in (flipped(content, place), b"{}", b"", b"mine"):
        (output / WRITTEN).write_bytes(damaged)
        kept = files_in(output)
        for act in (check_output, remove_written):
            with pytest.raises(SpecflowError, match=rf"{WRITTEN}: "):
                act(output)
        assert files_in(output) == kept


def test_a_file_that_cannot_be_removed_is_named(output):
    name = f"tables/a{'x' * 300}.csv"
    write_json(output / WRITTEN, {name: "0" * 64})
    with pytest.raises(SpecflowError, match=r"cannot remove .*xxx\.csv, an earlier result: .*long"):
        remove_written(output)


@pytest.mark.parametrize(("command", "count"), [("analyze", 1), ("compare", 2)])
def test_a_folder_that_will_not_do_is_refused_before_anything_is_measured(
    workplace, capsys, command, count
):
    save_file({"w": torch.ones(4, 4)}, workplace / "w.safetensors")
    (workplace / "out" / "tables" / SUMS).mkdir(parents=True)
    assert ended_with(command, *["w.safetensors"] * count, "-o", "out") == 1
    assert f"cannot read out/tables/{SUMS}" in capsys.readouterr().err
    assert files_in(workplace).keys() == {"w.safetensors"}


def test_nothing_of_an_earlier_call_stays_that_the_next_does_not_make(workplace, blank):
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
            SUMS,
            *(["audit.json", "spectra.h5"] if command[0] == "compare" else []),
        }
        mine.write_text("mine")
        list_as_users_do(mine.parent)
    assert "heads.csv" in kept[0] - kept[1]
    assert any(name.endswith(".png") for name in kept[0] - kept[1])
    assert mine.name in kept[2]
