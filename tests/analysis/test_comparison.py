"""Two models from the command line and from Python: what moved, and what was not compared."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from tests.commands import ended_with
from tests.report.pages import parse, texts
from tests.two_models import TOKENS, WIDTH, base, tuned
from torch import nn

import specflow
from specflow.analysis.comparison import compare_models, text_of
from specflow.errors import SpecflowError
from specflow.frames import where


@pytest.fixture
def models(workplace) -> tuple[Path, Path]:
    """Two folders, as a hub keeps them."""
    folders = (workplace / "Base-7B-v0.3", workplace / "Tuned-7B")
    for folder, weights in zip(folders, (base(), tuned(base())), strict=True):
        folder.mkdir()
        save_file(weights, folder / "model.safetensors")
    return folders


def test_fine_tuned_matrices_come_first_with_their_rank_and_others_have_none(models):
    table = specflow.compare(*models)
    assert table["label"].tolist()[:2] == ["block 2 MLP out", "block 1 MLP out"]
    assert table["rank_difference"].tolist() == [2, 2] + [0] * 14
    assert (table["relative_change"][2:] == 0).all()
    for name in table["matrix"][:2]:
        a, b = (one[f"{name}.weight"].double().numpy() for one in (base(), tuned(base())))
        (row,) = where(table, matrix=name).to_dict("records")
        change = np.linalg.norm(b - a) / np.linalg.norm(a)
        assert row["relative_change"] == pytest.approx(change, rel=1e-6)
        for which, matrix in {"a": a, "b": b, "difference": b - a}.items():
            S = np.linalg.svd(matrix, compute_uv=False)
            assert row[f"spectral_norm_{which}"] == pytest.approx(S[0], rel=1e-6)
            assert row[f"stable_rank_{which}"] == pytest.approx((S**2).sum() / S[0] ** 2, rel=1e-6)
    said = " ".join(table.attrs["summary"])
    assert "Of 18 tensors, 2 changed and 16 are identical bit for bit." in said
    assert "All matrices that changed are of the role MLP out." in said
    assert "The difference has rank 2 in the matrices that changed" in said


def test_terminal_shows_what_moved_and_ends_with_status_0(models, capsys):
    assert ended_with("compare", *map(str, models)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"A: {models[0]}/model.safetensors"
    (first,) = (line for line in lines if line.startswith("block 2 MLP out"))
    assert first.split()[-1] == "2"
    (by_role,) = (line for line in lines if line.startswith("MLP out"))
    assert by_role.split()[-1] == "2"
    assert sum("0%" in line.split() for line in lines if line.startswith("block")) == 12


def test_twenty_matrices_are_shown_and_all_if_asked():
    generator = torch.Generator().manual_seed(0)
    a = {f"layer{n}.weight": torch.randn(6, 5, generator=generator) for n in range(30)}
    b = {name: weight * (1 + 0.01 * n) for n, (name, weight) in enumerate(a.items())}
    found = compare_models(a, b, {})
    some, every = (text_of(found, every=every) for every in (False, True))
    assert [line.split()[0] for line in some.splitlines() if "6 x 5" in line] == [
        f"layer{n}" for n in range(29, 9, -1)
    ]
    assert "10 more, which moved less: --all shows them" in some
    assert sum("6 x 5" in line for line in every.splitlines()) == 30


def test_copies_are_identical_in_words(models, capsys):
    assert ended_with("compare", str(models[0]), str(models[0])) == 0
    assert "The two are identical: all 18 tensors, bit for bit." in capsys.readouterr().out
    (said,) = specflow.compare(base(), base()).attrs["summary"]
    assert said == "The two are identical: all 18 tensors, bit for bit."


def test_one_bit_of_a_norm_is_no_identity():
    name = "model.layers.0.input_layernorm.weight"
    other = base() | {name: torch.nextafter(torch.ones(WIDTH), torch.zeros(WIDTH))}
    said = specflow.compare(base(), other).attrs["summary"]
    assert said == [
        "Of 18 tensors, 1 changed and 17 are identical bit for bit.",
        f"Changed, and no matrix that is analysed: 1 tensor ({name}).",
    ]


def test_two_seeds_are_unrelated_and_a_fine_tuned_model_is_not():
    seeds = specflow.compare(base(0), base(1)).attrs["summary"]
    assert seeds[0].startswith("The two are unrelated: the median cosine of their matrices is ")
    assert "unrelated" not in " ".join(specflow.compare(base(), tuned(base())).attrs["summary"])


def test_what_cannot_be_compared_is_said():
    a, b = base(), tuned(base())
    b["model.embed_tokens.weight"] = torch.randn(TOKENS + 3, WIDTH)
    b["extra.weight"] = b.pop("lm_head.weight")
    b["model.layers.0.self_attn.q_proj.weight"] = torch.full((16, WIDTH), torch.nan)
    found = compare_models(a, b, {})
    said = " ".join(found.sentences)
    assert (
        "Not compared, reshaped: 1 tensor (model.embed_tokens.weight, (40, 16) in A and (43, 16) "
        "in B)."
    ) in said
    assert "Not compared, only in A: 1 tensor (lm_head.weight)." in said
    assert "Not compared, only in B: 1 tensor (extra.weight)." in said
    assert (
        "one of the two holds NaN or infinity: 1 matrix (model.layers.0.self_attn.q_proj)" in said
    )
    assert set(found.tensors["tensor"]) == set(a) | set(b)


def test_values_in_another_dtype_are_compared():
    halves = {name: weight.bfloat16() for name, weight in base().items()}
    floats = {name: weight.float() for name, weight in halves.items()}
    assert specflow.compare(halves, floats).attrs["summary"] == [
        "The two have equal values in all 18 tensors, some in another dtype.",
        "Some tensors are bfloat16 in A and float32 in B: their values are compared.",
    ]
    rounded = specflow.compare(base(), halves)
    assert (rounded["rank_difference"] == 0).all()
    assert "Some tensors are float32 in A and bfloat16 in B" in rounded.attrs["summary"][-1]


def test_model_within_a_larger_one_is_the_same_network():
    inner = {name.removeprefix("model."): weight for name, weight in tuned(base()).items()}
    expected = specflow.compare(base(), tuned(base()))["relative_change"][:2].tolist()
    for a, b in ((base(), inner), (inner, base())):
        table = specflow.compare(a, b)
        assert len(table) == 16
        assert table["rank_difference"][:3].tolist() == [2, 2, 0]
        assert "begin with 'model.' where those of" in " ".join(table.attrs["summary"])
    assert specflow.compare(base(), inner)["relative_change"][:2].tolist() == expected


def test_modules_and_files_of_one_network_are_compared(workplace):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(9, 12), nn.ReLU(), nn.Linear(12, 10))
    torch.save(model.state_dict(), "run.pt")
    with torch.no_grad():
        model[0].weight.mul_(1.5)
    table = specflow.compare("run.pt", model)
    assert table["matrix"].tolist() == ["0", "2"]
    assert table["relative_change"].tolist() == pytest.approx([0.5, 0])
    assert table["cosine"].tolist() == pytest.approx([1, 1])


def test_last_step_is_compared_or_the_one_that_is_named(workplace):
    for step in (0, 10, 20):
        state = {"a.weight": torch.eye(4) * (1 + step), "b.weight": torch.eye(4)}
        torch.save(state, f"step{step}.pt")
    last = specflow.compare("step0.pt", "step*.pt")
    assert last["relative_change"][0] == pytest.approx(20)
    assert specflow.compare("5=step0.pt", "7=step10.pt")["relative_change"][0] == pytest.approx(10)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"b.weight": torch.ones(2, 3)}, "no matrix of one name and shape is in both; the first"),
        ({"a.weight": torch.ones(3, 2)}, "expected two models of one network"),
        ("absent.pt", "matches nothing"),
    ],
)
def test_what_is_no_model_of_one_network_is_refused(workplace, other, message):
    with pytest.raises(SpecflowError, match=message):
        specflow.compare({"a.weight": torch.ones(2, 3)}, other)


def test_errors_and_wrong_command_lines_have_their_status(models, capsys):
    assert ended_with("compare", str(models[0]), "absent") == 1
    assert capsys.readouterr().err.startswith("error: files: 'absent' matches nothing")
    assert ended_with("compare", str(models[0])) == 2
    capsys.readouterr()
    assert ended_with("compare", "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Exit status: 0 if the two were compared, identical or not, 1 on an error, 2 if" in text


def test_order_of_the_two_turns_the_change_round():
    there, back = specflow.compare(base(), tuned(base())), specflow.compare(tuned(base()), base())
    same = ["cosine", "agreement_score", "left_overlap", "spectral_norm_difference"]
    both = [table.set_index("matrix").sort_index() for table in (there, back)]
    pd.testing.assert_frame_equal(both[0][same], both[1][same], rtol=1e-6)
    assert both[0]["stable_rank_a"].tolist() == pytest.approx(both[1]["stable_rank_b"].tolist())


def test_folder_has_tables_figures_and_a_page_that_stands_alone(models, capsys):
    assert ended_with("compare", *map(str, models), "-o", "Out 1") == 0
    assert capsys.readouterr().out.endswith("\n\npage: Out 1/index.html\n")
    tables = {path.name for path in Path("Out 1/tables").glob("*.csv")}
    assert tables == {f"compared_{name}.csv" for name in ("matrices", "tensors", "spectra")}
    written = pd.read_csv("Out 1/tables/compared_matrices.csv")
    assert written["rank_difference"].tolist() == [2, 2] + [0] * 14
    html = Path("Out 1/index.html").read_text()
    assert not re.search(r"""\b(?:src|href)\s*=\s*["'](?!data:|#)[^"']""", html)
    page = parse(html)
    assert texts(page, "h1") == ["Two models: out_1"]
    (first, *_) = (row for row in texts(page, "tr") if row.startswith("block 2 MLP out"))
    assert " 16 24 " in first
    assert "2 tensors not compared as matrices" in texts(page, "summary")


def test_page_has_the_first_rows_of_very_many_and_says_so(workplace, monkeypatch):
    monkeypatch.setattr("specflow.report.rendering._MOST_ROWS", 5)
    specflow.compare(base(), tuned(base()), output="out")
    page = parse(Path("out/index.html").read_text())
    assert "The first 5 of 16; all are in tables/compared_matrices.csv ." in texts(page, "p")
    assert len(pd.read_csv("out/tables/compared_matrices.csv")) == 16


def test_names_are_escaped_and_control_characters_spelled_out(workplace):
    hostile = "<script>alert(1)</script>$x_1"
    a, b = {hostile: torch.eye(3), "a\u202eb": torch.eye(3)}, {hostile: 2 * torch.eye(3)}
    with pytest.raises(SpecflowError, match="cannot be printed"):
        specflow.compare(a, b)
    del a["a\u202eb"]
    specflow.compare(a, b, output="out")
    html = Path("out/index.html").read_text()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_weights_without_their_adapter_are_said_to_be_so(models, capsys):
    """Of an adapter whose scale is not known: W is equal, and the two networks are not."""
    adapted, at = base(), "model.layers.0.self_attn.q_proj"
    torch.manual_seed(0)
    adapted |= {f"{at}.lora_A.weight": torch.randn(2, WIDTH)}
    adapted |= {f"{at}.lora_B.weight": torch.randn(16, 2), "step": torch.tensor(3)}
    torch.save(adapted | {"epoch": 3}, "adapted.pt")
    reads = [
        f"B: read as: 1 x LoRA: B A without its scale, as alpha is not known: {at}.lora",
        f"B: read as: 1 x LoRA: W as it is, without B A, as alpha is not known: {at}.weight",
        "B: left out: 1 x of type int: no tensor: epoch",
    ]
    assert ended_with("compare", str(models[0]), "adapted.pt", "-o", "out") == 0
    lines = capsys.readouterr().out.splitlines()
    assert set(reads) < set(lines)
    assert set(reads) < set(texts(parse(Path("out/index.html").read_text()), "p"))
    assert ended_with("compare", "adapted.pt", str(models[0])) == 0
    turned = capsys.readouterr().out.splitlines()
    assert {f"A{line[1:]}" for line in reads} < set(turned)


def test_packed_part_of_a_model_is_said(models):
    packed = base() | {"extra.weight": torch.ones(16, 16).to(torch.float8_e4m3fn)}
    said = specflow.compare(base(), packed).attrs["summary"]
    assert sum(line.startswith("B: ") and "% of all bytes are quantized" in line for line in said)
    assert not any(line.startswith("A: ") for line in said)


def test_one_network_by_two_configs_is_no_identity(models):
    for folder, parallel in zip(models, ("true", "false"), strict=True):
        save_file(base(), folder / "model.safetensors")
        text = (
            f'{{"model_type": "made_up", "use_parallel_residual": {parallel}, "_name": "{folder}"}}'
        )
        (folder / "config.json").write_text(text)
    found = compare_models(*models, {})
    assert found.sentences == [
        "The two are identical: all 18 tensors, bit for bit.",
        "Their config.json differ in: use_parallel_residual (True, False).",
    ]
    assert "config.json" not in text_of(compare_models(models[0], models[0], {}), every=True)


def test_patterns_are_of_names_in_a():
    inner = {name.removeprefix("model."): weight for name, weight in base().items()}
    options = {"include": ["model.layers*"], "exclude": ["model.layers.0*"]}
    found = compare_models(base(), inner, options)
    assert all(name.startswith("model.layers.1") for name in found.matrices["matrix"])


def test_an_adapter_alone_is_told_to_be_merged():
    base = {"q.weight": torch.ones(4, 3)}
    adapter = {"q.lora_A.weight": torch.ones(2, 3), "q.lora_B.weight": torch.ones(4, 2)}
    for pair in ((base, adapter), (adapter, base)):
        with pytest.raises(SpecflowError, match="is an adapter alone: give its base with it, as"):
            specflow.compare(*pair)
    with pytest.raises(SpecflowError) as caught:
        specflow.compare(base, {"k.weight": torch.ones(4, 3)})
    assert "adapter" not in str(caught.value)
