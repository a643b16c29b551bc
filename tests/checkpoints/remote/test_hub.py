"""Revisions of a model on a hub: listed, pinned by commits, read with a token that stays there."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import save, save_file
from tests.audit.made_up_steps import walk
from tests.checkpoints.made_up_hub import commit_of, publish
from tests.checkpoints.web import answers, changed, redirects
from tests.commands import ended_with

import specflow
from specflow.checkpoints.files import FileCheckpoints, FilesParams
from specflow.checkpoints.remote.hub import revisions
from specflow.checkpoints.remote.names import steps_at
from specflow.errors import SpecflowError

TOKEN = "hf_S3cret"
MODEL = "org/some-model.v2"
STEPS = {f"step{number}": weights for number, weights in zip((0, 1, 10, 200), walk(4), strict=True)}


@pytest.fixture
def hub(serve, monkeypatch):
    server = serve()
    monkeypatch.setenv("HF_ENDPOINT", f"{server.url}/")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    files = {name: {"model.safetensors": save(weights)} for name, weights in STEPS.items()}
    publish(server, MODEL, {"main": files["step200"], **files}, tags=("step10",))
    return server


def checkpoints(*files):
    return FileCheckpoints(FilesParams.model_validate({"files": files}), Path("elsewhere"))


def names(url):
    return list(steps_at(url))


def refused(url, match):
    with pytest.raises(SpecflowError, match=re.escape(match)) as error:
        checkpoints(url).open(0).__enter__()
    assert "\n" not in str(error.value)
    assert TOKEN not in str(error.value)


def test_pattern_stands_for_branches_and_tags_in_order_of_their_numbers(hub):
    found = checkpoints(f"hf://{MODEL}@step*")
    assert [step.number for step in found.steps] == [0, 1, 10, 200]
    assert found.steps[2].place == f"hf://{MODEL}@step10"
    assert names(f"hf://{MODEL}@step?") == [f"hf://{MODEL}@step{n}" for n in (0, 1)]
    assert names(f"hf://{MODEL}@step1*") == [f"hf://{MODEL}@step{n}" for n in (1, 10)]
    assert [step.number for step in checkpoints(f"hf://{MODEL}@step{{1,200}}").steps] == [1, 200]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"hf://{MODEL}", f"hf://{MODEL}@main"),
        (f"hf://{MODEL}/model.safetensors", f"hf://{MODEL}@main/model.safetensors"),
        (f"hf://{MODEL}@{commit_of('step1')}", f"hf://{MODEL}@{commit_of('step1')}"),
        (f"hf://{MODEL}@step1/model.safetensors", f"hf://{MODEL}@step1/model.safetensors"),
    ],
)
def test_revision_and_file_have_usual_values(hub, url, expected):
    assert names(url) == [expected]


def test_analysis_has_the_numbers_of_the_files(hub, workplace):
    for name, weights in STEPS.items():
        save_file(weights, f"{name}.safetensors")
    pd.testing.assert_frame_equal(
        specflow.analyze(f"hf://{MODEL}@step*"), specflow.analyze("step*.safetensors")
    )


def test_every_request_names_the_commit(hub):
    found = checkpoints(f"hf://{MODEL}@step*")
    other = {"model.safetensors": save(walk(1, seed=1)[0])}
    publish(hub, MODEL, dict.fromkeys(STEPS, other) | {"step0": other})  # under the same commits
    hub.files = {path: content for path, content in hub.files.items()}
    asked = [path for path, _, _ in hub.asked]
    assert asked == [
        f"/api/models/{MODEL}/refs",
        *(f"/api/models/{MODEL}/tree/{commit_of(name)}?recursive=true" for name in STEPS),
    ]
    with found.open(1) as tensors:
        tensors.read("layers.0.weight")
    resolved = {path for path, _, _ in hub.asked[5:]}
    assert resolved == {f"/{MODEL}/resolve/{commit_of('step1')}/model.safetensors"}


def test_fingerprint_is_that_of_the_published_hashes(hub):
    first = checkpoints(f"hf://{MODEL}@step*").fingerprint()
    assert checkpoints(f"hf://{MODEL}@step*").fingerprint() == first
    files = {name: {"model.safetensors": save(weights)} for name, weights in STEPS.items()}
    publish(hub, MODEL, files | {"step10": files["step1"]})
    assert checkpoints(f"hf://{MODEL}@step*").fingerprint() != first


def test_shards_of_an_index_are_read(hub):
    weights = STEPS["step0"]
    shards = {f"model-{n}.safetensors": {key: weights[key]} for n, key in enumerate(weights)}
    weight_map = {key: shard for shard, held in shards.items() for key in held}
    files = {name: save(held) for name, held in shards.items()}
    files["model.safetensors.index.json"] = json.dumps({"weight_map": weight_map}).encode()
    publish(hub, MODEL, {"step7": files})
    found = checkpoints(f"hf://{MODEL}@step7")
    with found.open(0) as tensors:
        assert {name: tensors.read(name).shape for name in tensors.infos} == {
            name: weight.shape for name, weight in weights.items()
        }
    del files["model-1.safetensors"]
    publish(hub, MODEL, {"step7": files})
    refused(f"hf://{MODEL}@step7", "step7/model-1.safetensors: there is no such file; its index")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"pytorch_model.bin": b"", "config.json": b""},
            "has pytorch_model.bin and no safetensors, which alone are read remotely; download it",
        ),
        ({"config.json": b"", "sub/a.safetensors": b""}, "has no weights; it has config.json"),
        ({}, "has no weights; it has no files"),
        (
            {"a.safetensors": b"", "b.safetensors": b""},
            "has a.safetensors, b.safetensors; expected one checkpoint: name the file",
        ),
    ],
)
def test_revision_without_one_checkpoint_of_safetensors_is_refused(hub, files, expected):
    publish(hub, MODEL, {"step3": files})
    refused(f"hf://{MODEL}@step3", f"hf://{MODEL}@step3: {expected}")


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("hf://", "no model of a hub; expected hf://org/name, hf://org/name@revision"),
        ("hf://../name@main", "no model of a hub"),
        ("hf://org/name?x=1@main", "no model of a hub"),
        ("hf://org/na me", "no model of a hub"),
        ("hf://gpt2", "no model of a hub"),
        (f"hf://{MODEL}@step3", "step3: no such revision; expected one of main, step0, step1, "),
        (f"hf://{MODEL}@nothing*", "nothing*: no such revision"),
        (f"hf://{MODEL}@step1/b.safetensors", "b.safetensors: there is no such file in this rev"),
        (f"hf://{MODEL}@step1/../../x", "there is no such file in this revision"),
        ("hf://org/other", "hf://org/other: is not on http://127.0.0.1:"),
    ],
)
def test_what_is_not_on_the_hub_is_refused(hub, url, match):
    refused(url, match)


def test_token_goes_to_the_hub_and_not_where_it_redirects_to(hub, serve, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    store = serve()
    store.files["/bucket"] = hub.files[f"/{MODEL}/resolve/{commit_of('step1')}/model.safetensors"]
    found = checkpoints(f"hf://{MODEL}@step1")
    hub.faults.append(redirects(f"{store.url}/bucket?signed"))
    with found.open(0) as tensors:
        tensors.read("layers.0.weight")
    assert len(store.asked) == 3
    assert {headers.get("Authorization") for _, _, headers in hub.asked} == {f"Bearer {TOKEN}"}
    assert {headers.get("Authorization") for _, _, headers in store.asked} == {None}


def test_token_is_in_nothing_that_is_said_or_written(hub, workplace, monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert ended_with("audit", f"hf://{MODEL}@step*") == 0
    for status in (401, 403, 404, 500):
        hub.faults += [answers(status)] * 3
        assert ended_with("audit", f"hf://{MODEL}@step*") == 1
        hub.faults.clear()
    said = capsys.readouterr()
    assert f"error: hf://{MODEL}: 403, access is denied" in said.err
    assert TOKEN not in said.out + said.err
    found = checkpoints(f"hf://{MODEL}@step*")
    assert TOKEN not in repr(found.steps) + repr(vars(found)) + found.fingerprint()


def test_what_lies_beside_is_known_from_the_list_of_files(hub):
    files = {"config.json": b'{"layers": 2}', "model.safetensors": save(STEPS["step0"])}
    publish(hub, MODEL, {"step0": files})
    (step,) = steps_at(f"hf://{MODEL}@step0").values()
    asked = len(hub.asked)
    assert step.json_beside("adapter_config.json") is None
    assert len(hub.asked) == asked
    assert step.json_beside("config.json") == {"layers": 2}


def test_gated_model_without_a_token_says_what_to_set(hub):
    hub.faults.append(answers(401))
    refused(
        f"hf://{MODEL}", "401, not there, or for some alone; hf:// with HF_TOKEN set reads gated"
    )


def test_token_is_sent_in_clear_to_this_machine_alone(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.example")
    refused(f"hf://{MODEL}", "HF_ENDPOINT: http://mirror.example would get HF_TOKEN in clear")
    monkeypatch.setenv("HF_ENDPOINT", "file:///etc")
    refused(f"hf://{MODEL}", "expected https://host/path")
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    monkeypatch.setenv("HF_TOKEN", f"{TOKEN}\r\nX: y")
    refused(f"hf://{MODEL}", "HF_TOKEN: holds what no token does")


def test_further_pages_of_a_list_are_read_on_the_hub_alone(hub):
    commit = commit_of("step1")
    whole = json.loads(hub.files[f"/api/models/{MODEL}/tree/{commit}"])
    hub.files["/page2"] = json.dumps(whole).encode()
    hub.files[f"/api/models/{MODEL}/tree/{commit}"] = b"[]"
    following = f'<{hub.url}/page2?cursor=1>; rel="next"'
    hub.faults += [None, changed(Link=following)]
    assert names(f"hf://{MODEL}@step1") == [f"hf://{MODEL}@step1"]
    for elsewhere in ("http://localhost:1/page2", "https://other.example/", "file:///etc/passwd"):
        hub.faults += [None, changed(Link=f'<{elsewhere}>; rel="next"')]
        with pytest.raises(SpecflowError, match=r"expected"):
            names(f"hf://{MODEL}@step1")


@pytest.mark.parametrize("said", [b"", b"{}", b"[1]", b"<html>", b"[" * 10**5, b'{"branches": 1}'])
def test_answer_that_is_not_understood_is_refused(hub, said):
    hub.faults.append(answers(200, said))
    refused(f"hf://{MODEL}", "the hub answers what is not understood")
    hub.faults += [None, answers(200, said)]
    refused(f"hf://{MODEL}", "the hub answers what is not understood")


def test_revision_is_pinned_by_a_commit_and_by_one_alone(hub):
    refs = json.loads(hub.files[f"/api/models/{MODEL}/refs"])
    refs["tags"].append({"name": "step1", "targetCommit": commit_of("other")})
    hub.files[f"/api/models/{MODEL}/refs"] = json.dumps(refs).encode()
    refused(f"hf://{MODEL}@step1", "@step1: a branch and a tag; expected a commit")
    refs["tags"][-1] = {"name": "step5", "targetCommit": "../../x"}
    hub.files[f"/api/models/{MODEL}/refs"] = json.dumps(refs).encode()
    refused(f"hf://{MODEL}@step5", "@step5: is '../../x', no commit")


def test_slash_in_a_revision_is_escaped(hub):
    publish(hub, MODEL, {"runs/1": {"model.safetensors": save(STEPS["step0"])}})
    (name,) = revisions(f"hf://{MODEL}@runs%2F*")[0]
    assert name == f"hf://{MODEL}@runs%2F1"
    assert names(f"hf://{MODEL}@runs%2F1/model.safetensors") == [f"{name}/model.safetensors"]
