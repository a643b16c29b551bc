"""What dvc.yaml says of every stage."""

import pytest
from ruamel.yaml import YAML
from tests.clones import ROOT

TEXT = (ROOT / "dvc.yaml").read_text("utf-8")
STAGES = {
    name: stage.get("do", stage) for name, stage in YAML(typ="safe").load(TEXT)["stages"].items()
}


def test_file_is_short():
    assert len(TEXT.splitlines()) <= 180


def test_every_script_has_its_stage():
    assert set(STAGES) == {script.stem for script in (ROOT / "stages").glob("*.py")}


@pytest.mark.parametrize("name", STAGES)
def test_command_makes_the_stage_a_child_of_dvc(name):
    command = STAGES[name]["cmd"]
    assert command.startswith(f"exec env PYTHONPATH=src python -m specflow.stage {name}")


@pytest.mark.parametrize("name", sorted({*STAGES} - {"resolve", "report"}))
def test_stage_depends_on_its_own_key_of_the_resolved_settings_alone(name):
    entry = "${key}" if "${key}" in STAGES[name]["cmd"] else "all"
    assert STAGES[name]["params"] == [{"results/config.json": [f"{name}.{entry}"]}]
    assert not [
        dep for dep in STAGES[name].get("deps", ()) if not dep.startswith(("results/", "$"))
    ]


def test_report_depends_on_all_that_it_shows():
    """Its own code is in results/config.json, whose every key it reads; its templates are not."""
    deps = set(STAGES["report"]["deps"])
    assert {"results/config.json", "src/specflow/report/templates"} <= deps
    written = {"claims.json", "figures", "figures.json", "summary.json", "tables"}
    assert {f"results/{name}" for name in written} <= deps
