"""What the stage resolve writes: settings of every stage, and which of them a change concerns."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from stages.resolve import main
from tests.config.conftest import tiny_with

from specflow import paths
from specflow.config.params import load_params
from specflow.config.resolved import resolved
from specflow.config.settings import read_settings
from specflow.errors import SpecflowError
from specflow.json_files import write_json
from specflow.studies.tickets.settings import CompareSettings
from specflow.training.settings import RunSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(workplace):
    """A folder with the graph, the scripts of its stages and the tiny preset."""
    for name in ("dvc.yaml", "stages"):
        (workplace / name).symlink_to(ROOT / name)
    write({})
    return workplace


def write(changes):
    YAML(typ="safe").dump(tiny_with(changes), paths.PARAMS)


CONNECTION, TICKET = "connections.digits_vgg", "tickets.digits_random"
OF_TICKET = {"retrain.digits_random", "compare.digits_random", "collect.all"}
OF_CONNECTION = {"connect.digits_vgg", "collect.all"}
SHOWN = {"digits_vgg": {"matrix": "features.4.weight"}}
CHANGES = [
    ("experiments.grokking.optimizer.weight_decay", 0.5, {"train.grokking"}),
    ("experiments.grokking.spectra", {"mass": 0.5}, {"spectra.grokking"}),
    ("experiments.grokking.pruning", {"keep_fractions": [0.25]}, {"prune.grokking"}),
    (f"{CONNECTION}.num_points", 4, {"connect.digits_vgg"}),
    (f"{CONNECTION}.across_trunks", False, OF_CONNECTION),
    (f"{CONNECTION}.perturbation.scales", [0.6], OF_CONNECTION | {"branch.digits_vgg"}),
    (f"{TICKET}.density", 0.3, OF_TICKET),
    ("samples.digits_unet.noise_seed", 1, {"sample.digits_unet", "collect.all"}),
    ("checkpoints.digits.exclude", [], {"analyze.digits"}),
    ("claims.thresholds.rank_falls", -0.1, {"judge.all"}),
    ("figures.dpi", 60, {"figures.all"}),
    ("figures.experiments", SHOWN, {"figures.all", "collect.all"}),
]


@pytest.mark.parametrize(("path", "value", "expected"), CHANGES, ids=[one[0] for one in CHANGES])
def test_a_change_concerns_the_stages_that_it_decides_and_no_other(project, path, value, expected):
    """A stage depends on its key; one that follows runs if a result has changed that it reads."""
    before = resolved(load_params(paths.PARAMS))
    write({path: value})
    after = resolved(load_params(paths.PARAMS))
    assert {stage: set(own) for stage, own in before.items()} == {
        stage: set(own) for stage, own in after.items()
    }
    assert expected == {
        f"{stage}.{name}"
        for stage, own in after.items()
        for name, settings in own.items()
        if settings != before[stage][name]
    }


SERIES = {
    f"experiments.{name}": {
        "task": "digits",
        "dataset": "digits",
        "optimizer": {"weight_decay": decay},
    }
    for name, decay in (("none", 0.0), ("strong", 0.1))
}


@pytest.mark.parametrize(("problems", "bare"), [([], ["none", "strong"]), (["strong"], ["none"])])
def test_variants_of_a_series_are_in_full_where_figures_name_them(project, problems, bare):
    write({**SERIES, "figures.problems": problems})
    main()
    collected = json.loads(paths.CONFIG.read_text())["collect"]["all"]["entries"]["experiments"]
    assert collected["digits_vgg"]["matrices"]["full"]
    assert collected["digits_vgg"]["pairs"]["full"]
    nothing = {"full": [], "small": []}
    shown = {name: (entry["matrices"], entry["pairs"]) for name, entry in collected.items()}
    assert [name for name, own in shown.items() if own == (nothing, nothing)] == bare


def test_the_page_calls_experiments_as_figures_do(project):
    write({**SERIES, "figures.experiments": {"digits_vgg": {"title": "A net"}}})
    main()
    titles = json.loads(paths.CONFIG.read_text())["report"]["all"]["titles"]
    named = [titles[name] for name in ("digits_vgg", "strong", "digits_unet")]
    assert named == ["A net", "A net, weight decay 0.1", "digits unet"]


def test_what_is_no_longer_declared_goes_when_resolved(project):
    kept = [
        paths.dataset("digits"),
        paths.trajectory("digits_vgg", 0),
        paths.spectra("grokking", 1),
    ]
    kept += [paths.ticket("digits_random", 0), paths.samples("digits_unet"), Path("results/notes")]
    gone = [paths.dataset("none"), paths.trajectory("none", 0), paths.spectra("none", 0)]
    gone += [
        paths.pruning("none", 0),
        paths.branch("none", 0, 0, 0),
        paths.connection("none", 0, 0),
    ]
    gone += [paths.ticket("none", 0), paths.ticket_measures("none", 0), paths.samples("none")]
    gone += [paths.checkpoints_spectra("none"), paths.checkpoints_audit("none")]
    for path in (*kept, *gone):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    main("--check")
    assert all(path.exists() for path in (*kept, *gone))
    assert not paths.CONFIG.exists()
    main()
    assert all(path.exists() for path in kept)
    assert not [path for path in gone if path.exists()]


def test_faulty_file_writes_nothing(project):
    main()
    before = paths.CONFIG.read_bytes()
    write({"seeds": []})
    with pytest.raises(SpecflowError, match="seeds"):
        main()
    assert paths.CONFIG.read_bytes() == before
    with pytest.raises(SpecflowError, match="got '--chek'; expected no option, or --check"):
        main("--chek")


@pytest.mark.parametrize(("rewind_step", "splits"), [(5, (5,)), (0, (0, 5))])
def test_ticket_is_pruned_at_split_steps_since_it_rewound_and_at_the_end(
    project, rewind_step, splits
):
    write({f"{TICKET}.rewind_step": rewind_step})
    main()
    settings, _ = read_settings("compare", "digits_random", CompareSettings)
    run, _ = read_settings("train", "digits_vgg", RunSettings)
    assert settings.pruned_steps == (*splits, run.kept_steps[-1])


def test_settings_are_read_as_they_were_resolved_with_the_code(project):
    main()
    settings, code = read_settings("train", "grokking", RunSettings)
    assert settings.optimizer.weight_decay == 1.0
    assert settings.num_train == int(13**2 * 0.5)
    assert set(json.loads(code)) >= {"models/transformer.py", "training/loop.py", "stages/train.py"}


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (None, "a", "there is no such file; `dvc repro resolve` writes it"),
        ("{", "a", "is no JSON"),
        (
            '{"train": {"a": {}}}',
            "a",
            "damaged or edited: .*`dvc repro -sf resolve` makes",
        ),
        ({"train": {"b": {}}}, "a", "train: got 'a'; expected one of b"),
        ({}, "a", "expected one of none: there are none"),
        ({"train": {"a": {"code": {}, "num_train": 0}}}, "a", "train.a: .*num_train: got 0"),
    ],
)
def test_settings_that_cannot_be_read_are_an_error(workplace, content, name, expected):
    paths.CONFIG.parent.mkdir()
    if isinstance(content, dict):
        write_json(paths.CONFIG, content)
    elif content is not None:
        paths.CONFIG.write_text(content)
    with pytest.raises(SpecflowError, match=expected):
        read_settings("train", name, RunSettings)
