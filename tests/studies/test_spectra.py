import h5py
import numpy as np
import pytest
from tests.quantities import ALWAYS, ON_DEMAND
from tests.sealed import edited
from tests.studies.made_up import PAIRS, SHAPES, change, write_spectra

from specflow.errors import BrokenFileError
from specflow.frames import where
from specflow.hdf5 import write
from specflow.studies.shown import Chosen
from specflow.studies.spectra import (
    FULL,
    MEAN,
    SMALL,
    Measured,
    shown_indices,
    spectra_tables,
)

MANY = tuple(range(0, 180, 3))


def tables_of(tmp_path, seeds=(0, 1), name="run", **changes):
    files = {seed: write_spectra(tmp_path / f"{name}{seed}.h5", seed, **changes) for seed in seeds}
    pairs = tuple(changes.get("pairs", PAIRS))[:1]
    return spectra_tables(
        [Measured(name, files, Chosen(full=["a/kernel"]), Chosen(full=pairs))]
    ), files


@pytest.mark.parametrize("steps", [(0, 3, 6, 10), (7,), MANY])
def test_tables_hold_what_the_files_hold(tmp_path, steps):
    tables, files = tables_of(tmp_path, steps=steps)
    opened = {seed: h5py.File(path) for seed, path in files.items()}
    assert len(tables["spectra"]) == 2 * len(SHAPES) * len(steps)
    for row in tables["spectra"].itertuples():
        group = opened[row.seed][f"matrices/{row.matrix}"]
        for name in (*ALWAYS, "agreement_score", "step_agreement_score"):
            expected = group[name][steps.index(row.step)]
            np.testing.assert_equal(getattr(row, name), expected)
    for row in tables["alignment"].itertuples():
        scores = opened[row.seed][f"pairs/{row.pair}/alignment_score"]
        assert row.alignment_score == scores[steps.index(row.step)]
    for table, column, kind, name in (
        ("singular_values", "matrix", "matrices", "singular_values"),
        ("agreement_diagonal", "matrix", "matrices", "agreement"),
        ("alignment_diagonal", "pair", "pairs", "alignment"),
    ):
        stack = {
            entry: np.stack([file[f"{kind}/{entry}/{name}"][:] for file in opened.values()])
            for entry in (SHAPES if kind == "matrices" else PAIRS)
        }
        for row in tables[table].itertuples():
            values = stack[getattr(row, column)][:, steps.index(row.step), row.index - 1]
            assert row.mean == values.mean()
            if table == "singular_values":
                assert row.std == pytest.approx(values.std(ddof=1))
            if table != "agreement_diagonal":
                assert row.first_seed == values[0]
    for file in opened.values():
        file.close()


def test_rows_are_in_order_of_seed_depth_and_step(tmp_path):
    tables, _ = tables_of(tmp_path)
    spectra = tables["spectra"]
    assert list(spectra)[:4] == ["experiment", "seed", "step", "matrix"]
    assert spectra["matrix"].tolist() == [name for name in SHAPES for _ in range(4)] * 2
    assert spectra["step"].tolist() == [0, 3, 6, 10] * 4
    matrices, pairs = tables["matrices"], tables["pairs"]
    assert matrices["matrix"].tolist() == list(SHAPES)
    assert matrices[["rows", "columns"]].to_numpy().tolist() == [list(s) for s in SHAPES.values()]
    assert pairs["pair"].tolist() == list(PAIRS)
    assert tables["steps"].to_numpy().tolist() == [
        ["run", step, step / 2] for step in (0, 3, 6, 10)
    ]


def test_of_one_seed_there_is_no_deviation(tmp_path):
    tables, _ = tables_of(tmp_path, seeds=(0,))
    assert tables["singular_values"]["std"].isna().all()
    assert tables["singular_values"]["mean"].notna().all()


def test_a_quantity_that_files_lack_is_empty(tmp_path):
    path = write_spectra(tmp_path / "0.h5")
    with edited(path) as file:
        for name in SHAPES:
            del file[f"matrices/{name}/gini"]
    spectra = spectra_tables([Measured("run", {0: path})])["spectra"]
    assert spectra["gini"].isna().all()
    assert spectra["stable_rank"].notna().any()


def test_large_tables_are_thinned_and_those_of_small_panels_more(tmp_path):
    shapes = {"z.weight": (500, 200), "a/kernel": (300, 400)}
    path = write_spectra(tmp_path / "0.h5", steps=MANY, shapes=shapes)
    chosen = Chosen(full=["a/kernel"], small=["z.weight"])
    tables = spectra_tables([Measured("run", {0: path}, chosen, Chosen(small=PAIRS))])
    for name, matrix, count, thinning in (
        *(("singular_values", "a/kernel", 300, FULL), ("singular_values", "z.weight", 200, SMALL)),
        *(("agreement_diagonal", "a/kernel", 300, FULL),),
        *(("agreement_diagonal", "z.weight", 200, SMALL),),
    ):
        rows = where(tables[name], matrix=matrix)
        indices = shown_indices(count, thinning).tolist()
        assert sorted(set(rows["index"])) == indices
        assert set(rows["step"]) < set(MANY)
        assert {MANY[0], MANY[-1]} < set(rows["step"])
        assert len(rows) == len(indices) * thinning.steps
    assert set(tables["alignment_diagonal"]["pair"]) == set(PAIRS)
    assert tables["alignment_diagonal"]["step"].nunique() == SMALL.steps
    assert len(tables["spectra"]) == 2 * len(MANY)
    pairwise = tables["pairwise_agreement"]
    assert pairwise["matrix"].unique().tolist() == ["a/kernel", MEAN]
    assert len(pairwise) == 2 * 12 * 13 / 2


@pytest.mark.parametrize("thinning", [FULL, SMALL])
@pytest.mark.parametrize("count", [1, 6, 7, 16, 18, 64, 4096])
def test_first_indices_and_the_last_one_are_shown(count, thinning):
    indices = shown_indices(count, thinning).tolist()
    first, most = thinning.first, thinning.first + thinning.others
    assert indices[:first] == list(range(1, min(count, first) + 1))
    assert indices[-1] == count
    assert indices == sorted(set(indices))
    assert len(indices) <= most
    assert len(indices) == min(count, most) or first < count < 2 * most


def test_pairwise_agreement_is_of_the_shown_matrix_and_the_mean_of_what_is_defined(tmp_path):
    files = {seed: write_spectra(tmp_path / f"{seed}.h5", seed) for seed in (0, 1)}
    values = np.ones((4, 4))
    for seed, path in files.items():
        change(path, "matrices/a/kernel/pairwise_agreement", (1 + seed) * values / 4)
        change(
            path, "matrices/z.weight/pairwise_agreement", np.where(values.cumsum(1) < 2, np.nan, 1)
        )
    table = spectra_tables([Measured("run", files, Chosen(full=["a/kernel"]))])[
        "pairwise_agreement"
    ]
    scores = table.set_index(["matrix", "step", "other_step"])["agreement_score"]
    assert scores["a/kernel", 0, 6] == pytest.approx(3 / 8)
    assert scores[MEAN, 0, 6] == pytest.approx((3 / 8 + 1) / 2)
    assert scores[MEAN, 0, 0] == pytest.approx(3 / 8)


def test_steps_of_which_any_two_are_compared_are_those_that_the_file_has(tmp_path, monkeypatch):
    path = write_spectra(tmp_path / "0.h5")
    steps = spectra_tables([Measured("run", {0: path})])["steps"]["step"].tolist()
    monkeypatch.setattr("specflow.measure.layouts._COMPARED", 3)
    values = np.arange(9.0).reshape(3, 3)
    with edited(path) as file:
        for name in ("a/kernel", "z.weight"):
            del file[f"matrices/{name}/pairwise_agreement"]
            file[f"matrices/{name}/pairwise_agreement"] = values
    table = spectra_tables([Measured("run", {0: path}, Chosen(full=["a/kernel"]))])
    scores = table["pairwise_agreement"].set_index(["matrix", "step", "other_step"])
    of_one = scores.loc["a/kernel"]["agreement_score"]
    some = [steps[0], steps[2], steps[3]]
    assert {pair: of_one[pair] for pair in of_one.index} == {
        (some[i], some[j]): values[i, j] for i in range(3) for j in range(i, 3)
    }


def test_growth_is_from_the_first_to_the_last_step_of_every_matrix(tmp_path):
    files = {0: write_spectra(tmp_path / "0.h5")}
    start = np.linspace(2.0, 1.0, 24)
    end = start * np.r_[3.0, np.full(23, 2.0)]
    change(files[0], "matrices/z.weight/singular_values", np.stack([start, end, end, end]))
    growth = spectra_tables([Measured("run", files)])["growth"]
    assert growth.loc[0, ["top_growth", "median_growth"]].tolist() == [3.0, 2.0]


def test_settling_is_at_the_last_kept_step_of_the_first_half_of_large_matrices(tmp_path):
    path = write_spectra(tmp_path / "0.h5", steps=(100, 103, 105, 110))
    agreement = np.full((4, 24), 7.0)
    agreement[2, :20] = np.repeat([0.5, 0.25], 10)
    change(path, "matrices/z.weight/agreement", agreement)
    settling = spectra_tables([Measured("run", {0: path})])["settling"]
    assert settling.to_numpy().tolist() == [["run", 0, "z.weight", 105, 0.5, 0.25]]


def test_without_pairs_there_are_no_rows_of_pairs_and_without_experiments_none_at_all(tmp_path):
    tables, _ = tables_of(tmp_path, pairs=())
    for name in ("pairs", "alignment", "alignment_diagonal"):
        assert len(tables[name]) == 0
    empty = spectra_tables([])
    assert {name: list(table) for name, table in empty.items()} == {
        name: list(table) for name, table in tables.items()
    }
    assert not any(map(len, empty.values()))


def test_a_file_that_is_missing_or_lacks_an_array_is_named(tmp_path):
    with pytest.raises(BrokenFileError, match=r"absent\.h5: there is no such file"):
        spectra_tables([Measured("run", {0: tmp_path / "absent.h5"})])
    path = write_spectra(tmp_path / "0.h5")
    with pytest.raises(BrokenFileError, match=r"0\.h5: cannot read .*other/singular_values"):
        spectra_tables([Measured("run", {0: path}, Chosen(full=["other"]))])


def test_columns_on_demand_are_there_only_if_a_file_has_them(tmp_path):
    plain, _ = tables_of(tmp_path)
    assert not set(ON_DEMAND) & set(plain["spectra"])
    assert "heads" not in plain
    more, _ = tables_of(tmp_path, name="more", quantities=(*ALWAYS, "num_outliers"))
    assert set(more["spectra"]) - set(plain["spectra"]) == {"num_outliers"}
    own = {0: write_spectra(tmp_path / "own.h5", quantities=(*ALWAYS, "change_norm"))}
    other = {0: write_spectra(tmp_path / "other.h5")}
    both = spectra_tables([Measured("own", own), Measured("other", other)])["spectra"]
    assert where(both, experiment="other")["change_norm"].isna().all()
    assert where(both, experiment="own")["change_norm"].notna().any()


def test_heads_have_a_row_each(tmp_path):
    path, S = write_spectra(tmp_path / "run.h5"), np.random.default_rng(0).random((4, 3, 5))
    S[1, 2] = np.nan
    with edited(path) as file:
        write(file, f"pairs/{PAIRS[1]}/head_singular_values", S)
    heads = spectra_tables([Measured("run", {0: path})])["heads"]
    assert len(heads) == 4 * 3
    assert set(heads["pair"]) == {PAIRS[1]}
    (row,) = where(heads, step=6, head=1).to_dict("records")
    assert row["spectral_norm"] == S[2, 1].max()
    assert row["frobenius_norm"] == pytest.approx(np.linalg.norm(S[2, 1]))
    assert where(heads, step=3)["effective_rank"].isna().tolist() == [False, False, True]
