"""Which checkpoints a URL stands for, their steps, and an analysis of them: as of files."""

import re
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import save, save_file
from tests.audit.made_up_steps import walk
from tests.commands import ended_with
from tests.measure.made_up import Killed, dies_after

import specflow
from specflow.checkpoints.files import FileCheckpoints, FilesParams
from specflow.checkpoints.remote.names import steps_at
from specflow.checkpoints.remote.step import RemoteSafetensors
from specflow.errors import SpecflowError
from specflow.measure.settings import SpectraParams
from specflow.measure.spectra import measure_spectra
from specflow.scratch import Scratch
from specflow.studies.checkpoints.analysis import read_checkpoints
from specflow.studies.checkpoints.settings import ReadingParams
from specflow.studies.checkpoints.study import CheckpointsParams

STEPS = [0, 10, 20, 30, 40]
SPECTRA = SpectraParams(diagonal_length=100, score_length=10, mass=0.9)


@pytest.fixture
def web(serve, workplace):
    """A run of five steps on a server, and in the folder run."""
    server = serve()
    Path("run").mkdir()
    for number, weights in zip(STEPS, walk(5), strict=True):
        server.files[f"/run/step{number}/model.safetensors"] = save(weights)
        save_file(weights, f"run/step{number}.safetensors")
    return server


@pytest.fixture
def pattern(web):
    return f"{web.url}/run/step{{0..40..10}}/model.safetensors"


def checkpoints(*files, **more):
    params = FilesParams.model_validate({"files": files} | more)
    return FileCheckpoints(params, Path("elsewhere"))


def numbers(*files, **more):
    return [step.number for step in checkpoints(*files, **more).steps]


@pytest.mark.parametrize(
    ("braces", "expected"),
    [
        ("{1,20,3}", ["1", "20", "3"]),
        ("{0..40..20}", ["0", "20", "40"]),
        ("{7..9}", ["7", "8", "9"]),
        ("{0..5..3}", ["0", "3"]),
        ("{a,}{1,2}", ["a1", "a2", "1", "2"]),
        ("x", ["x"]),
    ],
)
def test_braces_stand_for_what_they_do_in_a_shell(braces, expected):
    assert list(steps_at(f"https://host/{braces}/m")) == [f"https://host/{e}/m" for e in expected]


@pytest.mark.parametrize(
    ("braces", "match"),
    [
        ("{step}", "'step' in braces stands for no steps; expected {0,1000} or {0..5000..1000}"),
        ("{}", "'' in braces stands for no steps"),
        (f"{{0..{10**30}}}", "in braces stands for no steps"),
        ("{3..1}", "'3..1' in braces stands for no steps"),
        ("{0..9..0}", "in braces stands for no steps"),
        (f"{{0..{10**17}}}", "stands for more than 100000 checkpoints"),
        ("{0..999}{0..999}", "stands for more than 100000 checkpoints"),
    ],
)
def test_braces_that_stand_for_nothing_or_too_much_are_refused(braces, match):
    with pytest.raises(SpecflowError, match=re.escape(match)):
        steps_at(f"https://host/{braces}/m")


def test_steps_are_told_as_from_paths(pattern, web):
    assert numbers(pattern) == STEPS
    one = f"{web.url}/run/step40/model.safetensors"
    assert numbers(one) == [40]
    assert numbers({"path": one, "step": 3}, {"path": one, "step": 2}) == [2, 3]
    assert numbers(pattern, step_from=r"step(\d)") == [0, 1, 2, 3, 4]
    assert numbers("https://h/v1.2.3/{a,b}.safetensors") == [0, 1]
    assert numbers("http://[::1]:80/{a,b}.safetensors") == [0, 1]  # no pattern
    assert web.asked == []


@pytest.mark.parametrize(
    ("files", "match"),
    [
        (["file:///etc/passwd"], "expected https://host/path"),
        (["ftp://host/a"], "expected https://host/path or http://host/path"),
        (["http://host/step*.safetensors"], "no pattern matches any; expected {0,1000} or {0.."),
        (["http://host/step[01].safetensors"], "no pattern matches any"),
        (["http://host/net_{0,1}.pt?a=b"], "net_0.pt: .pt, and only safetensors are read over"),
        (["https://host/pytorch_model.bin"], "only safetensors are read over URLs; download it"),
        (["https://u:p@host/a"], "without a name or password"),
        (
            [{"path": "https://h/{1,2}", "step": 1}],
            "https://h/2: 2 of one step; expected one a step",
        ),
        (
            ["https://h/a-00001-of-00002.safetensors"],
            "a shard of one checkpoint, no step of its own; expected its index",
        ),
        (["https://h/consolidated.0{0,1}.safetensors"], "a numbered part of one checkpoint"),
        (["https://h/{1,2}/{3,4}"], "names that do not differ in one number alone"),
    ],
)
def test_what_stands_for_no_steps_is_refused(files, match):
    with pytest.raises(SpecflowError, match=re.escape(match)):
        checkpoints(*files)


def test_url_and_file_may_be_steps_of_one_training(web, workplace):
    one = f"{web.url}/run/step40/model.safetensors"
    found = checkpoints({"path": str(workplace / "run/step0.safetensors"), "step": 0}, one)
    assert [step.number for step in found.steps] == [0, 40]
    assert [step.place for step in found.steps][1] == one


def test_analysis_has_the_numbers_of_the_files_and_leaves_no_weights(undrawn, pattern, workplace):
    local = specflow.analyze("run/*.safetensors", output="local")
    remote = specflow.analyze(pattern, output="remote")
    pd.testing.assert_frame_equal(remote, local)
    for name in ("tables/audit.csv", "tables/changes.csv", "tables/spectra.csv"):
        assert Path("remote", name).read_text() == Path("local", name).read_text().replace(
            "local", "remote"
        )
    assert {path.name for path in workplace.iterdir()} == {"run", "local", "remote"}


def test_spectra_take_each_matrix_once_and_hardly_a_byte_more(pattern, web, workplace):
    params = ReadingParams(files=[pattern])
    found, wiring = read_checkpoints(params, Path())
    headers, scratch = web.sent, Scratch(Path("scratch"))
    with scratch.locked():
        measure_spectra(found, wiring, SPECTRA, Path("s.h5"), scratch, lambda done: None, workers=2)
    matrices = sum(
        weight.nbytes for state in walk(5) for weight in state.values() if weight.ndim > 1
    )
    assert matrices <= web.sent - headers <= 1.02 * matrices


def test_whole_analysis_asks_for_what_it_reads_alone(pattern, web, monkeypatch):
    """At most 1.02 times the bytes of the tensors read; the headers are read once beside."""
    taken = []
    read = RemoteSafetensors.read

    def counted(file, name):
        tensor = read(file, name)
        taken.append(tensor.nbytes)
        return tensor

    monkeypatch.setattr(RemoteSafetensors, "read", counted)
    specflow.analyze(pattern)
    headers = sum(8 + int.from_bytes(content[:8], "little") for content in web.files.values())
    assert sum(taken) + headers <= web.sent <= 1.02 * sum(taken) + headers
    ranges = [asked for _, asked, _ in web.asked if asked]
    assert len(ranges) <= 2 * len(STEPS) + len(taken)


@pytest.mark.parametrize("survived", [2, 8])
def test_killed_analysis_goes_on(undrawn, pattern, web, monkeypatch, survived):
    specflow.analyze(pattern, output="whole")
    once, save_part = web.sent, Scratch.save
    with monkeypatch.context() as patched:
        patched.setattr(Scratch, "save", dies_after(survived, save_part))
        with pytest.raises(Killed):
            specflow.analyze(f"{pattern}?signed=1", output="killed")
    web.sent = 0
    specflow.analyze(f"{pattern}?signed=2", output="killed")
    assert web.sent < once
    for name in ("spectra.h5", "audit.json"):
        assert Path("killed", name).read_bytes() == Path("whole", name).read_bytes()


def test_analysis_begins_anew_where_a_file_has_changed(undrawn, pattern, web, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Scratch, "save", dies_after(7, Scratch.save))
        with pytest.raises(Killed):
            specflow.analyze(pattern, output="killed")
    other = walk(5, seed=1)
    for number, weights in zip(STEPS, other, strict=True):
        web.files[f"/run/step{number}/model.safetensors"] = save(weights)
    found = specflow.analyze(pattern, output="killed")
    pd.testing.assert_frame_equal(found, specflow.analyze(pattern))


def test_no_secret_of_a_query_gets_into_what_is_written_or_said(pattern, web, capsys):
    signed = f"{pattern}?token=hf_S3cret"
    assert ended_with("analyze", signed, "-o", "out") in (0, 3)
    del web.files["/run/step40/model.safetensors"]
    assert ended_with("analyze", signed, "-o", "out") == 1
    said = capsys.readouterr()
    assert "/run/step40/model.safetensors: 404, there is no such file" in said.err
    assert "Traceback" not in said.err
    assert "S3cret" not in said.out + said.err
    written = [path for path in Path("out").rglob("*") if path.is_file()]
    assert {".html", ".json", ".csv", ".h5"} <= {path.suffix for path in written}
    assert all(b"S3cret" not in path.read_bytes() for path in written)


def test_no_secret_of_a_query_gets_into_a_comparison(web, capsys):
    urls = [f"{web.url}/run/step{n}/model.safetensors?token=hf_S3cret" for n in (0, 40)]
    assert ended_with("compare", *urls, "-o", "out") == 0
    said = capsys.readouterr()
    assert "S3cret" not in said.out + said.err
    written = [path for path in Path("out").rglob("*") if path.is_file()]
    assert written
    assert all(b"S3cret" not in path.read_bytes() for path in written)


def test_params_take_urls_without_a_query_or_password(pattern):
    own = {"path": "models", "spectra": SPECTRA.model_dump()}
    params = CheckpointsParams.model_validate(own | {"files": [pattern, "hf://org/name@step*"]})
    assert params.problems(None) == []
    files = ["https://host/a?token=hf_S3cret", "https://me:hf_S3cret@host/b"]
    problems = CheckpointsParams.model_validate(own | {"files": files}).problems(None)
    expected = "expected a URL without, since results keep it"
    assert problems == [
        f"files.{number}: got 'https://host/{name}' and a query or password; {expected}"
        for number, name in enumerate("ab")
    ]


def test_half_precision_is_read_as_it_is(web):
    weight = torch.randn(6, 5).bfloat16()
    web.files["/a.safetensors"] = save({"w": weight})
    with checkpoints(f"{web.url}/a.safetensors").open(0) as tensors:
        assert torch.equal(tensors.read("w"), weight)


def test_config_beside_a_url_tells_of_the_network(pattern, web):
    config = b'{"model_type": "none-such", "num_attention_heads": 3}'
    web.files["/run/step40/config.json"] = config
    found, _ = read_checkpoints(ReadingParams(files=[pattern]), Path())
    with found.open(0) as tensors:
        structure = found.structure(tensors.infos)
    assert structure.config["num_attention_heads"] == 3
