"""What counts as code of a stage: everything that it runs, and no comment."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.config.conftest import TINY

from specflow.config import code
from specflow.config.code import code_of, decides_nothing, essence, modules_in
from specflow.config.params import load_params
from specflow.config.resolved import resolved

ROOT = Path(__file__).parents[2]
STAGES = sorted((ROOT / "stages").glob("*.py"))


def test_comments_docstrings_and_blank_lines_do_not_count():
    plain = "x = 1\n\ndef f(a):\n    return '# no comment'\n"
    commented = (
        '"""Words."""\n# more\nx = 1  # why\n\n\ndef f(a):\n    """Words.\n\n    # more\n    """'
        "\n    # because\n    return '# no comment'\n"
    )
    assert essence(commented) == essence(plain)


@pytest.mark.parametrize(
    "change",
    ["x = 2\n", "x = 1\ny = 2\n", "if True:\n    x = 1\n", 'x = 1\n"a" in y or f()\n'],
)
def test_every_change_of_code_counts(change):
    assert essence(change) != essence("x = 1\n")


def test_blank_lines_within_a_string_count():
    assert essence('x = """a\n\nb"""\n') != essence('x = """a\nb"""\n')


def test_characters_beyond_ascii_before_a_docstring_do_not_shift_the_cut():
    assert essence('é = "ü"; """Ö."""; x = "é"  # ü\n') == 'é = "ü"; ; x = "é"'


# Forks once for each script, so that what all of them import is imported once.
LOADED = """
import os, runpy, sys
import h5py, matplotlib, pandas, pydantic, torch
for script in sys.argv[1:]:
    if not os.fork():
        runpy.run_path(script, run_name="no")
        own = (m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "specflow")
        print(script, *own, flush=True)
        os._exit(0)
    os.wait()
"""


def test_code_of_a_stage_holds_every_module_that_importing_it_loads(monkeypatch):
    """Against the interpreter, which knows what each script imports at its top."""
    monkeypatch.chdir(ROOT)
    config = resolved(load_params(TINY))
    command = [sys.executable, "-c", LOADED, *map(str, STAGES)]
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, check=True, env=environment
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == len(STAGES), done.stderr
    for script, *files in lines:
        names = {Path(file).relative_to(code.SOURCE).as_posix() for file in files}
        for entry in config.get(Path(script).stem, {}).values():
            decide = {name for name in names if not decides_nothing(name)}
            assert decide <= set(entry["code"]), script


def test_training_runs_no_code_of_tables_figures_claims_or_other_models():
    listed = code_of(ROOT / "stages" / "train.py", ["specflow.models.vgg"])
    foreign = ("figures/", "claims/", "report/", "studies/", "measure/spectra", "models/unet")
    assert not [name for name in listed if name.startswith(foreign)]
    assert {"models/vgg.py", "training/loop.py"} <= set(listed)


def test_a_kind_that_is_not_named_is_no_code_of_a_stage():
    script = ROOT / "stages" / "train.py"
    bare, vgg = code_of(script), code_of(script, ["specflow.models.vgg"])
    assert set(vgg) - set(bare) == {"models/vgg.py"}


@pytest.fixture
def forgetful():
    """A function that lets files be read anew, called before and after the test too."""

    def forget():
        code._digest.cache_clear()
        code._imported.cache_clear()

    forget()
    yield forget
    forget()


def test_changed_file_changes_its_hash_alone(tmp_path, monkeypatch, forgetful):
    shutil.copytree(code.SOURCE, tmp_path / "specflow")
    monkeypatch.setattr(code, "SOURCE", tmp_path / "specflow")
    script = ROOT / "stages" / "train.py"
    before = code_of(script)
    loop = tmp_path / "specflow" / "training" / "loop.py"
    for text, changed in (("\n# a comment\n", set()), ("\nx = 1\n", {"training/loop.py"})):
        loop.write_text(loop.read_text() + text)
        forgetful()
        after = code_of(script)
        assert {name for name in after if after[name] != before[name]} == changed


def test_all_modules_of_a_package_are_listed():
    assert "specflow.models.vgg" in modules_in("specflow.models")


def test_files_that_decide_nothing_are_there():
    assert all((code.SOURCE / name).exists() for name in code._DECIDE_NOTHING)
