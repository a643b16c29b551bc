"""specflow: what training does to the spectra of a network's weights, as DVC pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from specflow.tables.reading import Table


def analyze(
    checkpoints: str | Path | Sequence[str | Path],
    *,
    step_from: str | None = None,
    key: str | None = None,
    layout: str = "auto",
    num_heads: int | None = None,
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
    transposed: Sequence[str] = (),
    output: str | Path | None = None,
) -> Table:
    """Return ranks, norms and agreement of every matrix of checkpoints made elsewhere.

    Args:
        checkpoints: Files, folders or patterns: safetensors, PyTorch, or trajectories.
        step_from: Regular expression with one group, the step, searched in each path; None means
            the one number in which paths differ.
        key: Where the weights are in a PyTorch checkpoint; None finds them.
        layout: Naming of the architecture; auto recognizes it.
        num_heads: Attention heads of a block, where known.
        include: Patterns of tensors or matrices that are analysed.
        exclude: Patterns of those that are not.
        transposed: Patterns of tensors whose inputs come first (transposed convolutions); those of
            trajectories are known.
        output: Folder for tables, figures and a page; None keeps none.

    Returns:
        A row a step and matrix: `table.column("matrix")`, `table.numbers("stable_rank")`, ...

    Raises:
        SpecflowError: If a checkpoint cannot be read as asked, or a result cannot be written.
    """
    from pathlib import Path

    from specflow.standalone import Reading, spectra_table  # here, since it imports torch

    patterns = tuple(include), tuple(exclude), tuple(transposed)
    reading = Reading(step_from, key, layout, num_heads, *patterns)
    return spectra_table(checkpoints, reading, None if output is None else Path(output))
