"""specflow: what training does to the spectra of a network's weights, as DVC pipelines."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from torch import nn

    from specflow.live.alerts import Alert
    from specflow.live.watch import Watch

__all__ = ["__version__", "analyze", "compare", "watch"]

try:
    __version__ = version("specflow")
except PackageNotFoundError:  # run from its source tree, not installed
    __version__ = "0+unknown"


def analyze(
    checkpoints: str | Path | Sequence[str | Path] | Mapping[Any, Any] | nn.Module,
    *,
    step_from: str | None = None,
    key: str | None = None,
    layout: str = "auto",
    num_heads: int | None = None,
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
    transposed: Sequence[str] = (),
    fused: Sequence[str | Mapping[str, Any]] = (),
    pairs: Sequence[str | Mapping[str, Any]] = (),
    quick: bool = False,
    output: str | Path | None = None,
) -> pd.DataFrame:
    """Return ranks, norms and agreement of every matrix of checkpoints made elsewhere.

    Args:
        checkpoints: Files, folders or patterns: safetensors, PyTorch, or trajectories, each with
            its step before it if its name does not say it ("100=model.pt"); URLs of safetensors,
            "hf://org/name@step*" among them; or weights in memory: a state dict, a training
            checkpoint that holds one or a module as the one step 0, or a dict of these by step. Or
            one file of spectra, of `watch` or of an analysis: then there is no audit, and nothing
            else may be asked but an output.
        step_from: Regular expression with one group, the step, searched in each path; None means
            the one number in which paths differ, or that follows a word such as "step".
        key: Where the weights are in a PyTorch checkpoint, on disk or loaded; None finds them.
        layout: Naming of the architecture; auto recognizes it.
        num_heads: Attention heads of a block, where known.
        include: Patterns of tensors or matrices that are analysed.
        exclude: Patterns of those that are not.
        transposed: Patterns of tensors whose inputs come first (transposed convolutions); those of
            trajectories are known.
        fused: Tensors that hold several matrices: "*.qkv=q,k,v", or as in params.yaml.
        pairs: Further neighbours: "*.v -> *.o", or as in params.yaml.
        quick: Leave out what takes about as long again as all else: permuted entries, power laws,
            changes between steps, products of heads.
        output: Folder for tables, figures and a page; None keeps none.

    Returns:
        A row a step and matrix: columns `step`, `matrix`, `stable_rank`, `agreement_score`, ... In
        `attrs` are sentences on what was "analysed", "notes", and the "flags" of the audit.

    Raises:
        SpecflowError: If a checkpoint cannot be read as asked, or a result cannot be written.
    """
    from pathlib import Path

    from specflow.analysis import QUICK, SPECTRA, spectra_of  # here, since it imports torch

    options = {
        "step_from": step_from,
        "key": key,
        "layout": layout,
        "num_heads": num_heads,
        "include": include,
        "exclude": exclude,
        "transposed": transposed,
        "fused": fused,
        "pairs": pairs,
    }
    place = None if output is None else Path(output)
    return spectra_of(checkpoints, options, place, QUICK if quick else SPECTRA)


def compare(
    a: str | Path | Sequence[str | Path] | Mapping[Any, Any] | nn.Module,
    b: str | Path | Sequence[str | Path] | Mapping[Any, Any] | nn.Module,
    *,
    output: str | Path | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Return what sets two models of one network apart: what moved, how far, and of what rank.

    Args:
        a: The one model, as `analyze` takes checkpoints; of several steps the last, or in text
            "STEP=PATH".
        b: The other; tensors of one name are compared.
        output: Folder for tables, figures and a page in one file; None keeps none.
        options: How both are read: those of `analyze` by name.

    Returns:
        A row a matrix, the most changed first: columns `matrix`, `relative_change`, `cosine`,
        `agreement_score`, `rank_difference`, ... In `attrs["summary"]` are sentences: whether the
        two are identical or unrelated, and what could not be compared.

    Raises:
        SpecflowError: If a model cannot be read as asked, the two have no matrix in common, or a
            result cannot be written.
    """
    from pathlib import Path

    from specflow.analysis.comparison import compare_models  # here, since it imports torch

    found = compare_models(a, b, options, None if output is None else Path(output))
    table = found.matrices
    table.attrs["summary"] = found.sentences
    return table


def watch(
    model: nn.Module,
    path: str | Path,
    *,
    every: int | Iterable[int] = 100,
    leading: int | Iterable[int] | None = None,
    match: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
    budget: float = 0.01,
    gradients: bool = False,
    updates: bool = False,
    store_weights: bool = False,
    sinks: Sequence[Any] = (),
    alerts: Mapping[str, Any] | None = None,
    on_alert: Callable[[Alert], object] | None = None,
) -> Watch:
    """Return what measures the spectra of a network while it trains.

    Use it as a context manager, and call its `step` after every optimizer step. At the steps that
    are due the training waits until the weights of the matrices are copied; a process of the
    lowest priority measures the copies. The training computes the same bits as without.

    Args:
        model: The network; in wrappers, compiled or not.
        path: Place of the HDF5 file of spectra, which is complete at any time. What it is made of
            lies in a folder beside it, `<path>.rows`: with that, a training that is taken up again
            goes on, and what was measured of the steps that it repeats is replaced.
        every: Number of steps from one whose spectra are measured to the next, or the steps that
            are: `numpy.geomspace(1, 10**5, 50).astype(int)`, say.
        leading: The same of the 10 leading singular values and vectors alone, from those of the
            last time, into a file `run.leading.h5`: cheaper for large matrices, so more often.
        match: Patterns of tensors or matrices that are watched.
        exclude: Patterns of those that are not.
        budget: Share of the time, of a minute at least, that the training may wait for copies; a
            step for which it does not suffice is dropped.
        gradients: Whether the spectra of the gradients that parameters have when `step` is called
            are measured too, into a file `run.gradients.h5` beside `run.h5`.
        updates: Whether those of what the step has changed are, into `run.updates.h5`: weights are
            copied at the step before too.
        store_weights: Whether the copies are kept, as `run.h5.weights/step*.safetensors`, so that
            `analyze` can measure later what is not measured here.
        sinks: What is told each step that was measured: a `SummaryWriter` of TensorBoard, a `Live`
            of DVCLive, a run of Weights & Biases, or a function of the step and its numbers by
            name ("stable_rank/blocks.0.mlp_in"; what `step` was given is among them). They are
            called in the thread of the training, at a later step or at the end.
        alerts: What to warn of at once, with step and matrix: `{"least_rank": 0.1}` of the
            normalized effective rank, `{"most_growth": 100}` of the largest singular value since
            the first step in the file, and what is not finite, unless `{"not_finite": False}`;
            None is nothing.
        on_alert: Called with each of these too: its step, matrix and message.

    Raises:
        SpecflowError: If the network has no matrix that matches, or the file is of other ones.
    """
    from specflow.live.watch import started  # here, since it imports torch

    return started(
        model,
        path,
        every=every,
        leading=leading,
        match=match,
        exclude=exclude,
        budget=budget,
        gradients=gradients,
        updates=updates,
        store_weights=store_weights,
        sinks=sinks,
        alerts=alerts,
        on_alert=on_alert,
    )
