"""Published hashes tell of files that are another step's, and name no innocent step."""

import re
from dataclasses import dataclass
from random import Random

import pytest
from safetensors.torch import save
from tests.audit.made_up_steps import walk
from tests.checkpoints.made_up_hub import publish
from tests.commands import ended_with

from specflow.audit.published import audit_published
from specflow.checkpoints.base import Step
from specflow.checkpoints.remote.step import Published
from specflow.errors import SpecflowError

SHARDS = [f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3)]


@dataclass
class Known:
    """Steps 0, 10, 20, ... of which hashes are published; None if they are not."""

    hashes: list[dict[str, str] | None]

    @property
    def steps(self):
        return [Step(10 * n, None, f"hf://a/b@step{10 * n}") for n in range(len(self.hashes))]

    def published(self, index):
        own = self.hashes[index]
        return own and {path: Published(path, 1, sha) for path, sha in own.items()}


def run(count=8):
    """An honest run: every shard of every step is its own."""
    return [{name: f"{name}{step}" for name in SHARDS} for step in range(count)]


def flags(hashes):
    return {(f.step, f.tensor, f.flag): f.evidence for f in audit_published(Known(hashes)).flags}


def notes(hashes):
    return audit_published(Known(hashes)).notes


def test_honest_run_has_no_flags():
    audit = audit_published(Known(run()))
    assert audit.flags == ()
    assert audit.steps == tuple(range(0, 80, 10))
    assert audit.notes == ("only the hashes of files were compared: no weight was read",)
    assert audit_published(Known(run(1))).flags == ()


@pytest.mark.parametrize("seed", range(30))
def test_exactly_the_shards_that_are_the_last_steps_are_flagged(seed):
    rng = Random(seed)
    hashes = run(rng.randint(3, 20))
    places = [(step, name) for step in range(len(hashes) - 1) for name in SHARDS[:2]]
    guilty = set(rng.sample(places, rng.randint(1, min(6, len(places) - 2))))
    for step, name in guilty:
        hashes[step][name] = hashes[-1][name]
    for name in SHARDS[:2]:  # those that are equal from some step on to the last may be frozen
        own = [step for step, other in guilty if other == name]
        if own and len(own) == len(hashes) - 1 - min(own):
            guilty -= {(step, name) for step in own}
            assert any(f"the same file {name} at" in n for n in notes(hashes)) or min(own) == 0
    assert flags(hashes).keys() == {(10 * s, n, "of_another_step") for s, n in guilty}


@pytest.mark.parametrize("seed", range(30))
def test_both_of_two_steps_that_share_a_shard_are_flagged(seed):
    rng = Random(seed)
    hashes = run(rng.randint(4, 20))
    first = rng.randrange(len(hashes) - 3)
    second = rng.randrange(first + 2, len(hashes) - 1)
    hashes[first][SHARDS[1]] = hashes[second][SHARDS[1]]
    found = flags(hashes)
    assert found.keys() == {(10 * n, SHARDS[1], "of_another_step") for n in (first, second)}
    assert f"is that of step {10 * second}, and not that of step" in next(iter(found.values()))


def test_whole_step_that_is_the_last_is_flagged_once():
    hashes = run()
    hashes[2] = hashes[-1]
    hashes[5] = dict(hashes[-1])
    assert flags(hashes) == {
        (20, "all", "identical"): "every file of weights is that of steps 50, 70, by its hash",
        (50, "all", "identical"): "every file of weights is that of steps 20, 70, by its hash",
    }


def test_file_that_is_equal_at_every_step_is_frozen():
    hashes = [own | {SHARDS[0]: "frozen"} for own in run()]
    audit = audit_published(Known(hashes))
    assert audit.flags == ()
    assert audit.frozen == (SHARDS[0],)


def test_file_that_does_not_change_for_a_while_is_noted():
    hashes = run()
    hashes[3][SHARDS[0]] = hashes[4][SHARDS[0]]
    audit = audit_published(Known(hashes))
    assert audit.flags == ()
    expected = f"the same file {SHARDS[0]} at steps 30, 40, which follow each other"
    assert audit.notes[0] == expected


def test_missing_shards_are_told_by_other_steps_and_by_their_names():
    hashes = run()
    del hashes[3][SHARDS[1]]
    assert flags(hashes) == {(30, SHARDS[1], "missing"): "no such file here; most steps have it"}
    hashes = [{SHARDS[0]: f"{step}", SHARDS[1]: f"b{step}"} for step in range(3)]
    why = "the names of its other shards count it"
    assert flags(hashes) == {
        (10 * step, SHARDS[2], "missing"): f"no such file here; {why}" for step in range(3)
    }


def test_file_of_few_steps_is_noted():
    hashes = run()
    hashes[-1]["consolidated.pt"] = "x"
    audit = audit_published(Known(hashes))
    assert audit.flags == ()
    assert audit.notes[0] == "in half of the steps or fewer: consolidated.pt"


def test_states_of_an_optimizer_and_other_files_are_no_weights():
    beside = {"optimizer.pt": "a", "training_args.bin": "b", "logs/x": "c", "config.json": "d"}
    assert flags([own | beside for own in run()]) == {}
    with pytest.raises(SpecflowError, match=r"hf://a/b@step0: has no weights; it has config.json"):
        audit_published(Known([beside]))


def test_steps_on_no_hub_are_refused():
    match = "hf://a/b@step10: its hashes are published by no hub; expected revisions on a hub"
    with pytest.raises(SpecflowError, match=re.escape(match)):
        audit_published(Known([run(1)[0], None]))


@pytest.fixture
def hub(serve, workplace, monkeypatch):
    server = serve()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    return server


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_command_reads_no_weight_and_ends_by_its_flags(hub, capsys, suffix):
    names = ["layers.0.weight", "layers.1.weight"]
    revisions = {
        f"step{number}": {
            f"model-{n}.{suffix}": save({name: weights[name]}) for n, name in enumerate(names)
        }
        for number, weights in zip((1, 2, 3, 4), walk(4), strict=True)
    }
    publish(hub, "org/name", revisions)
    assert ended_with("audit", "hf://org/name@step*", "--hashes-only") == 0
    assert "\nno flags: 4 steps, hashes of files, no weight\n" in capsys.readouterr().out
    revisions["step2"][f"model-1.{suffix}"] = revisions["step4"][f"model-1.{suffix}"]
    publish(hub, "org/name", revisions)
    assert ended_with("audit", "hf://org/name@step*", "--hashes-only") == 3
    assert f"step 2: of_another_step: model-1.{suffix}: its hash " in capsys.readouterr().out
    assert all(path.startswith("/api/models/org/name/") for path, _, _ in hub.asked)


def test_command_without_a_hub_is_an_error(workplace, capsys):
    assert ended_with("audit", "https://host/a.safetensors", "--hashes-only") == 1
    assert "its hashes are published by no hub" in capsys.readouterr().err
