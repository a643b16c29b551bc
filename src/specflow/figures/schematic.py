"""What spectral dynamics are, in one picture: a small network that is trained to be drawn."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure, SubFigure

from specflow.figures import heatmaps, style
from specflow.figures.registry import figure
from specflow.figures.subjects import Subject
from specflow.figures.timeline import Timeline
from specflow.frames import Tables

_WIDTH = 32  # of both layers
_TARGET = (6.0, 4.0, 2.5, 1.6, 1.0, 0.6)  # singular values of the map that is learnt
_SCALE, _RATE, _DECAY, _BATCH = 0.05, 0.008, 0.1, 32
_STEPS, _EVERY = 400, 10
_SHOWN = 12  # directions of an alignment matrix
_TIMELINE = Timeline("step", "linear")
_NOTE: dict[str, Any] = {"fontsize": 8, "color": "#333333"}
_BOX: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
_TERMS = ("$W =$", r"$s_1\,u_1 v_1^T +$", r"$s_2\,u_2 v_2^T +$", "the rest")
_ENDS: tuple[tuple[int, str, str], ...] = (
    (0, "at the start", "#999999"),
    (-1, "at the end", "#0072B2"),
)
_PRUNED: dict[str, tuple[str, dict[str, Any]]] = {
    "full": ("whole network", {"linewidth": 3.0}),
    "top": ("top half kept", {"linestyle": "--"}),
    "bottom": ("bottom half kept", {}),
}


@dataclass(frozen=True)
class Dynamics:
    """The spectral dynamics of the first of two layers.

    Attributes:
        steps: Steps that were kept, shape (T,).
        terms: The weight at the end, its first two rank-one terms, and the rest, (4, d, d).
        values: Singular values, (T, d).
        ranks: Normalized effective rank, (T,).
        agreement: Diagonals of the agreement with the end, (T, d).
        alignment: Alignment of both layers at the end, (d, d).
        losses: Losses of the network, and of what pruning leaves of it, by variant, each (T,).
    """

    steps: np.ndarray
    terms: np.ndarray
    values: np.ndarray
    ranks: np.ndarray
    agreement: np.ndarray
    alignment: np.ndarray
    losses: dict[str, np.ndarray]


@figure(
    "project",
    title="Spectral dynamics: what is measured, on a small network",
    caption="All panels show one example: two linear layers of 32 units that learn a map of six "
    "directions from noisy samples, by gradient descent with weight decay. Every other figure "
    "shows the same measures of the networks of this project.",
    order=0,
)
def schematic(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw what a spectrum is, how it changes, and what is measured of it."""
    found = dynamics()
    fig.set_figheight(6.6)
    upper, lower = fig.subfigures(2, 1, squeeze=False)[:, 0]
    pictures, curves = upper.subfigures(1, 2, width_ratios=(1, 2))
    _draw_terms(pictures, found)
    evolution, rank = curves.subplots(1, 2)
    _draw_evolution(evolution, found)
    _draw_rank(rank, found)
    agreement, alignment, pruning = lower.subplots(1, 3)
    _draw_agreement(lower, agreement, found)
    _draw_alignment(lower, alignment, found)
    _draw_pruning(pruning, found)


def dynamics() -> Dynamics:
    """Return what the small network does, the same whenever it is called."""
    from specflow.threads import one_thread

    with one_thread():
        return _measured(*_trained())


def _measured(steps: np.ndarray, target: np.ndarray, kept: np.ndarray) -> Dynamics:
    import torch  # here, since listing the kinds of figures is to be quick

    from specflow.interventions.svd_pruning import SpectrumPruner
    from specflow.spectra import (
        alignment,
        decompose,
        normalized_effective_rank,
        singular_vector_agreement,
    )

    weights = torch.from_numpy(kept)
    first = [decompose(weight) for weight in weights[:, 0]]
    end = first[-1]
    terms = [end.S[i] * torch.outer(end.U[:, i], end.Vh[i]) for i in (0, 1)]
    terms = [weights[-1, 0], *terms, weights[-1, 0] - sum(terms)]
    pruned = [[SpectrumPruner(layer) for layer in both] for both in weights]
    losses = {"full": [_loss(target, *both) for both in kept]}
    for keep in ("top", "bottom"):
        parts = [[layer.keep(0.5, keep).numpy() for layer in both] for both in pruned]
        losses[keep] = [_loss(target, *both) for both in parts]
    agreement = [singular_vector_agreement(one, end).diagonal() for one in first]
    return Dynamics(
        steps=steps,
        terms=torch.stack(terms).numpy(),
        values=torch.stack([one.S for one in first]).numpy(),
        ranks=np.array([float(normalized_effective_rank(one.S)) for one in first]),
        agreement=torch.stack(agreement).numpy(),
        alignment=alignment(end, weights[-1, 1]).numpy(),
        losses={keep: np.array(own) for keep, own in losses.items()},
    )


def _trained() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return kept steps, the map to learn, and both layers at each of these steps."""
    noise = np.random.Generator(np.random.PCG64(0))
    shape, size = (_WIDTH, _WIDTH), len(_TARGET)
    left, right = (np.linalg.qr(noise.normal(size=shape))[0][:, :size] for _ in range(2))
    target = left * np.array(_TARGET) @ right.T
    first, second = (_SCALE * noise.normal(size=shape) for _ in range(2))
    kept = []
    for step in range(_STEPS + 1):
        if step % _EVERY == 0:
            kept.append(np.stack([first, second]))
        inputs, errors = noise.normal(size=(2, _WIDTH, _BATCH))
        hidden = first @ inputs
        gradient = (second @ hidden - target @ inputs - errors) / _BATCH
        steps = second.T @ gradient @ inputs.T, gradient @ hidden.T
        first = first - _RATE * (steps[0] + _DECAY * first)
        second = second - _RATE * (steps[1] + _DECAY * second)
    return np.arange(0, _STEPS + 1, _EVERY), target, np.stack(kept)


def _loss(target: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of the map that is not learnt."""
    return float(np.sum((second @ first - target) ** 2) / np.sum(target**2))


def _draw_terms(part: SubFigure, found: Dynamics) -> None:
    part.suptitle("1. A weight matrix is a sum of directions", fontsize=9)
    largest = np.abs(found.terms).max()
    for axes, term, text in zip(part.subplots(2, 2).flat, found.terms, _TERMS, strict=True):
        axes.imshow(term, cmap="PuOr", vmin=-largest, vmax=largest)
        axes.set_title(text, loc="center")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.grid(False)
        axes.spines[:].set_visible(False)
    note = (
        "each reads a direction $v_i$ of what comes in\nand writes $u_i$; $s_i$ says how strongly"
    )
    part.supxlabel(note, **_NOTE)


def _draw_evolution(axes: Axes, found: Dynamics) -> None:
    axes.set_title("2. Singular values grow unequally:\nthe top ones first, and most")
    norm = LogNorm(1, _WIDTH)
    for index in range(_WIDTH, 0, -1):
        colour = style.SINGULAR_INDEX_MAP(norm(index))
        axes.plot(found.steps, found.values[:, index - 1], color=colour, linewidth=1.2)
    for index in (1, 2, 3):
        end = (found.steps[-1], found.values[-1, index - 1])
        axes.annotate(
            f"$s_{index}$", end, (3, -3), textcoords="offset points", annotation_clip=False
        )
    axes.text(0.5 * _STEPS, 0.1, "the rest shrinks", bbox=_BOX, **_NOTE)
    axes.set_ylabel("singular value")
    axes.set_ylim(0, None)
    _TIMELINE.apply(axes, found.steps)


def _draw_rank(axes: Axes, found: Dynamics) -> None:
    axes.set_title("3. Effective rank falls: the share\nof directions that count")
    indices = np.arange(1, _WIDTH + 1)
    for place, when, colour in _ENDS:
        shares = found.values[place] / found.values[place].sum()
        label = f"{when}: {found.ranks[place]:.2f} of all"
        axes.plot(indices, shares, ".-", color=colour, label=label)
        axes.fill_between(indices, shares, color=colour, alpha=0.15, linewidth=0)
    axes.set_xlabel("index i")
    axes.set_ylabel("share of the sum of all")
    axes.set_ylim(0, None)
    axes.legend(loc="upper right")


def _draw_agreement(part: SubFigure, axes: Axes, found: Dynamics) -> None:
    axes.set_title("4. Agreement: since when is $u_i, v_i$\nwhat it is at the end?")
    indices = np.arange(1, _WIDTH + 1)
    colours = heatmaps.colour_scale(style.AGREEMENT_MAP, ())
    grid = pd.DataFrame(found.agreement.T, indices, found.steps.astype(float))
    mesh = heatmaps.draw_heatmap(axes, grid, _TIMELINE, colours)
    axes.set_ylabel("index i (1 = largest)")
    _add_bar(part, axes, mesh)


def _draw_alignment(part: SubFigure, axes: Axes, found: Dynamics) -> None:
    axes.set_title("5. Alignment: does the next layer\nread what this one writes?")
    edges = np.arange(_SHOWN + 1) + 0.5
    colours = heatmaps.colour_scale(style.ALIGNMENT_MAP, ())
    shown = found.alignment[:_SHOWN, :_SHOWN]
    mesh = heatmaps.draw_cells(axes, edges, edges, shown, colours)
    axes.set_xlabel("$u_j$ that this layer writes, by j")
    axes.set_ylabel("$v_i$ that the next one reads, by i")
    _add_bar(part, axes, mesh)


def _add_bar(part: SubFigure, axes: Axes, mesh: QuadMesh) -> None:
    bar = part.colorbar(mesh, ax=axes, pad=0.02, aspect=25)
    bar.outline.set_visible(False)
    heatmaps.number_bar(bar)


def _draw_pruning(axes: Axes, found: Dynamics) -> None:
    axes.set_title("6. Pruning: the top half of the\nspectrum is what was learnt")
    for keep, (label, look) in _PRUNED.items():
        colour = style.KEEP_COLOURS[keep]
        axes.plot(found.steps, found.losses[keep], color=colour, label=label, **look)
    axes.set_ylabel("loss, as a share of the first")
    axes.set_ylim(0, 1.1)
    axes.legend(loc="center right")
    _TIMELINE.apply(axes, found.steps)
