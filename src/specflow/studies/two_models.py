"""Two models in tables and in words: what moved most, of what rank, and what was not compared."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from specflow.audit.kinship import UNRELATED
from specflow.errors import number_of, some_of
from specflow.measure.comparison import ComparedTensor, Comparison
from specflow.spectra import agreement_null_level, effective_rank, is_defined, stable_rank
from specflow.spectra.difference import Difference
from specflow.wiring.tensors import TensorInfo
from specflow.wiring.wiring import Matrix

_SHOWN = 4  # matrices whose spectra are drawn
_MOST_INDICES = 80  # of a spectrum, evenly on a log scale
_FEW = 5  # names in a sentence


@dataclass(frozen=True, eq=False)
class TwoModels:
    """Two models that were compared.

    Attributes:
        name: What the comparison is called.
        a: Where A is.
        b: Where B is.
        comparison: What sets them apart.
        skipped: Why tensors are no matrices, by their name.
        prefixes: What names of A begin with that those of B do not, and the other way round.
        notes: What else there is to say of how they were read, a sentence each.
    """

    name: str
    a: str
    b: str
    comparison: Comparison
    skipped: Mapping[str, str]
    prefixes: tuple[str, str] = ("", "")
    notes: tuple[str, ...] = ()

    @cached_property
    def matrices(self) -> pd.DataFrame:
        """Every matrix of both, the most changed first: columns as docs/checkpoints.md says."""
        found = self.comparison.matrices.items()
        rows = [_row(depth, matrix, own) for depth, (matrix, own) in enumerate(found)]
        table = pd.DataFrame(rows, columns=list(_COLUMNS))
        return table.sort_values(
            "relative_change", ascending=False, kind="stable", ignore_index=True
        )

    @cached_property
    def tensors(self) -> pd.DataFrame:
        """Every tensor of either, what became of it, and why it is no matrix."""
        rows = [
            (name, one.status, *_shown(one.a), *_shown(one.b), self._reason(name, one))
            for name, one in self.comparison.tensors.items()
        ]
        columns = ["tensor", "status", "shape_a", "dtype_a", "shape_b", "dtype_b", "evidence"]
        return pd.DataFrame(rows, columns=columns)

    @cached_property
    def spectra(self) -> pd.DataFrame:
        """Singular values of A, of B and of B - A, of the few matrices that moved most."""
        found = {matrix.name: own for matrix, own in self.comparison.matrices.items()}
        moved = self.matrices[self.matrices["relative_change"] > 0]
        frames = [_spectra(name, found[name]) for name in moved["matrix"][:_SHOWN]]
        full = [frame for frame in frames if frame is not None]
        columns = ["matrix", "index", "a", "b", "difference"]
        return pd.concat(full, ignore_index=True) if full else pd.DataFrame(columns=columns)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """All of it by the name of its file; the first column names the comparison."""
        found = {
            "compared_matrices": self.matrices,
            "compared_tensors": self.tensors,
            "compared_spectra": self.spectra,
        }
        return {name: _named(self.name, table) for name, table in found.items()}

    @property
    def by_role(self) -> pd.DataFrame:
        """What matrices of each role have in common."""
        roles = self.matrices["role"].replace("", "no known role")
        return _summary(self.matrices, roles.rename("role"))

    @property
    def by_depth(self) -> pd.DataFrame:
        """What the matrices of each third of the network have in common."""
        thirds = ["first third", "middle third", "last third"]
        place = (3 * self.matrices["depth"] / max(len(self.matrices), 1)).astype(int)
        depth = pd.Categorical.from_codes(place, thirds, ordered=True)
        return _summary(self.matrices, pd.Series(depth, name="depth"))

    @property
    def sentences(self) -> list[str]:
        """What there is to say, most important first."""
        return [*self._verdict(), *self.notes, *self._moved(), *self._left_out()]

    @property
    def same(self) -> bool:
        """Whether all tensors are identical or have equal values."""
        return len(self.names_with("identical", "equal values")) == len(self.comparison.tensors)

    def names_with(self, *statuses: str) -> list[str]:
        """Return the tensors of some statuses."""
        return [name for name, one in self.comparison.tensors.items() if one.status in statuses]

    def _verdict(self) -> Iterator[str]:
        total, same = len(self.comparison.tensors), len(self.names_with("identical"))
        if same == total:
            yield f"The two are identical: all {total} tensors, bit for bit."
            return
        if self.same:
            yield f"The two have equal values in all {total} tensors, some in another dtype."
            return
        changed, cosine = len(self.names_with("changed")), self.matrices["cosine"].median()
        if cosine < UNRELATED:
            yield (
                f"The two are unrelated: the median cosine of their matrices is {cosine:.2g}; "
                f"networks of one initialization have {UNRELATED} or more."
            )
        yield f"Of {total} tensors, {changed} changed and {same} are identical bit for bit."

    def _moved(self) -> Iterator[str]:
        table = self.matrices[self.matrices["relative_change"] > 0]
        if not len(table):
            return
        first, most = table.iloc[0], table["relative_change"].iat[0]
        told = f"by {share(most)} of its norm" if math.isfinite(most) else "which is 0 in A"
        median = share(table["relative_change"].median())
        over = f"; the median over the {len(table)} matrices that changed is {median}"
        yield f"What moved most is {first['label']}, {told}{over if len(table) > 1 else ''}."
        roles, others = (set(rows["role"]) for rows in (table, self.matrices))
        if len(roles) <= _FEW and roles < others and "" not in roles:
            yield f"All matrices that changed are of the role {' or '.join(sorted(roles))}."
        ranks, directions = table["rank_difference"], table[["rows", "columns"]].min(axis=1)
        if ranks.max() < directions.min():
            low, high = int(ranks.min()), int(ranks.max())
            shown = f"{high}" if low == high else f"{low} to {high}"
            yield (
                f"The difference has rank {shown} in the matrices that changed, of "
                f"{int(directions.min())} directions or more: what is beyond, rounding can "
                "account for."
            )

    def _left_out(self) -> Iterator[str]:
        for which, other, prefix in zip("AB", "BA", self.prefixes, strict=True):
            if prefix:
                yield (
                    f"Names of {which} begin with {prefix!r} where those of {other} do not; else "
                    "they are the same."
                )
        for status in ("reshaped", "only in A", "only in B", "unreadable"):
            if names := self.names_with(status):
                told = [self._told(name) for name in names] if status == "reshaped" else names
                number = number_of(len(names), "tensor")
                yield f"Not compared, {status}: {number} ({some_of(told, _FEW)})."
        undefined = [m.name for m, own in self.comparison.matrices.items() if own is None]
        if undefined:
            number = number_of(len(undefined), "matrix", "matrices")
            yield (
                f"Not compared, as one of the two holds NaN or infinity: {number} "
                f"({some_of(undefined, _FEW)})."
            )
        if differing := [name for name in self.names_with("changed") if name in self.skipped]:
            yield (
                f"Changed, and no matrix that is analysed: {number_of(len(differing), 'tensor')} "
                f"({some_of(differing, _FEW)})."
            )
        mixed = {
            (str(one.a.dtype), str(one.b.dtype))
            for one in self.comparison.tensors.values()
            if one.a and one.b and one.a.dtype != one.b.dtype
        }
        for first, second in sorted(mixed):
            dtypes = f"{first} in A and {second} in B".replace("torch.", "")
            yield f"Some tensors are {dtypes}: their values are compared."

    def _told(self, name: str) -> str:
        one = self.comparison.tensors[name]
        assert one.a is not None, name
        assert one.b is not None, name
        return f"{name}, {tuple(one.a.shape)} in A and {tuple(one.b.shape)} in B"

    def _reason(self, name: str, tensor: ComparedTensor) -> str:
        return tensor.evidence or self.skipped.get(name, "")


def share(value: float) -> str:
    """Return a share in percent, three digits of it."""
    return f"{100 * value:.3g}%"


_COLUMNS = (
    *("matrix", "label", "role", "depth", "rows", "columns", "relative_change", "cosine"),
    *("agreement_score", "null_agreement", "left_overlap", "right_overlap"),
    *("spectral_norm_a", "spectral_norm_b", "spectral_norm_difference"),
    *("stable_rank_a", "stable_rank_b", "stable_rank_difference"),
    *("effective_rank_a", "effective_rank_b", "effective_rank_difference"),
    *("rank_difference", "rounding"),
)


def _row(depth: int, matrix: Matrix, found: Difference | None) -> dict[str, object]:
    view = matrix.view
    row: dict[str, object] = {
        **{"matrix": matrix.name, "label": matrix.label, "role": matrix.role, "depth": depth},
        **{"rows": view.rows, "columns": view.columns},
        "null_agreement": agreement_null_level(view.rows, view.columns),
    }
    if found is None:
        return row
    for name in ("relative_change", "cosine", "agreement_score", "left_overlap", "right_overlap"):
        row[name] = getattr(found, name)
    for which, S in {"a": found.S_a, "b": found.S_b, "difference": found.S}.items():
        row[f"spectral_norm_{which}"] = float(S[0])
        row |= {f"{rank}_{which}": value for rank, value in _ranks(S).items()}
    return row | {"rank_difference": found.rank, "rounding": found.rounding}


def _ranks(S: Tensor) -> dict[str, float]:
    if not is_defined(S):
        return {}
    return {"stable_rank": float(stable_rank(S)), "effective_rank": float(effective_rank(S))}


def _spectra(name: str, found: Difference | None) -> pd.DataFrame | None:
    if found is None:
        return None
    last = len(found.S)
    index = np.unique(np.geomspace(1, last, min(last, _MOST_INDICES)).round().astype(int))
    at = torch.from_numpy(index - 1)
    values = {"a": found.S_a[at], "b": found.S_b[at], "difference": found.S[at]}
    return pd.DataFrame(
        {"matrix": name, "index": index, **{k: v.numpy() for k, v in values.items()}}
    )


def _shown(info: TensorInfo | None) -> tuple[str, str]:
    if info is None:
        return "", ""
    return " x ".join(map(str, info.shape)), str(info.dtype).removeprefix("torch.")


def _named(name: str, table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([pd.Series(name, table.index, name="comparison"), table], axis=1)


def _summary(table: pd.DataFrame, by: pd.Series) -> pd.DataFrame:
    """Return number, changes and ranks of the matrices of each group."""
    groups = table.groupby(by, observed=True)
    found = groups.agg(
        matrices=("matrix", "size"),
        median_change=("relative_change", "median"),
        most_change=("relative_change", "max"),
        agreement=("agreement_score", "median"),
        most_rank=("rank_difference", "max"),
    )
    return found if by.name == "depth" else found.sort_values("most_change", ascending=False)
