"""Matrices and pairs of an experiment in order of depth, with labels and null levels."""

from dataclasses import dataclass, replace

import numpy as np

from specflow.tables.reading import Numbers, Table, Tables


@dataclass(frozen=True)
class Layers:
    """Rows of a heatmap, from the input of the network down to its output.

    Attributes:
        names: Keys in tables.
        labels: What a person reads.
        nulls: Score of unrelated matrices, shape (rows,); NaN where it is not defined.
    """

    names: list[str]
    labels: list[str]
    nulls: Numbers

    def label_of(self, name: str) -> str:
        """Return the label of one of `names`."""
        return self.labels[self.names.index(name)]

    def null_of(self, name: str) -> Numbers:
        """Return the null level of one of `names`, shape (1,)."""
        return self.nulls[[self.names.index(name)]]


def matrices_of(tables: Tables, experiment: str) -> Layers:
    """Return the matrices of an experiment."""
    rows = tables["matrices"].where(experiment=experiment)
    return layers_of(rows, "matrix", "label", "null_agreement")


def pairs_of(tables: Tables, experiment: str) -> Layers:
    """Return the pairs of neighbours of an experiment."""
    rows = tables["pairs"].where(experiment=experiment)
    layers = layers_of(rows, "pair", "pair", "null_alignment")
    return replace(layers, labels=[short_pair(pair) for pair in layers.names])


def short_pair(pair: str) -> str:
    """Return a pair's label with what both sides have in common, if it is two words, said once.

    "block 1 MLP in -> block 1 MLP out" becomes "block 1: MLP in → MLP out".
    """
    previous, following = (side.split(" ") for side in pair.partition(" -> ")[::2])
    if previous[:2] != following[:2] or min(len(previous), len(following)) <= 2:
        return pair.replace("->", "→")
    return f"{' '.join(previous[:2])}: {' '.join(previous[2:])} → {' '.join(following[2:])}"


def layers_of(rows: Table, name: str, label: str, null: str) -> Layers:
    """Return rows of a table of matrices or pairs in order of depth.

    Args:
        rows: Rows with a column depth.
        name: Column of the keys.
        label: Column of the labels.
        null: Column of the null levels.
    """
    order = np.argsort(rows.numbers("depth"), kind="stable")
    return Layers(
        rows.column(name)[order].tolist(),
        rows.column(label)[order].tolist(),
        rows.numbers(null)[order],
    )
