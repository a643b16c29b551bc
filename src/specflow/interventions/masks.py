"""Masks of lottery tickets (Frankle & Carbin 2019, arXiv 1803.03635): which weights are kept."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Kind = Literal["magnitude", "random", "reinitialized"]


class Mask:
    """Which entries of one weight are kept (1); the others are set to exactly 0.

    Attributes:
        kept: Truth values of the shape of the weight.
    """

    def __init__(self, values: Tensor) -> None:
        """Take 0 and 1, or truth values, of the shape of the weight.

        Raises:
            ValueError: If a value is anything else, or there is none.
        """
        bad = values[(values != 0) & (values != 1)]
        if len(bad):
            raise ValueError(f"a mask holds {bad[0].item():.3g}; expected nothing but 0 and 1")
        if values.numel() == 0:
            raise ValueError(f"a mask of shape {tuple(values.shape)} is empty; expected entries")
        self.kept = values != 0

    @property
    def num_kept(self) -> int:
        """Number of entries that are kept."""
        return int(self.kept.sum())

    @property
    def density(self) -> float:
        """Share of the entries that are kept, in [0, 1]."""
        return self.num_kept / self.kept.numel()

    def apply(self, weight: Tensor) -> Tensor:
        """Return a new weight with 0 wherever the mask is 0, also for NaN and infinity.

        Raises:
            ValueError: If the weight has another shape.
        """
        if weight.shape != self.kept.shape:
            raise ValueError(
                f"a mask of shape {tuple(self.kept.shape)} does not fit a weight of shape "
                f"{tuple(weight.shape)}"
            )
        return torch.where(self.kept, weight, 0)

    def to(self, device: torch.device) -> "Mask":
        """Return the mask on a device."""
        return Mask(self.kept.to(device))


def magnitude_masks(weights: Mapping[str, Tensor], density: float) -> dict[str, Mask]:
    """Return masks that keep the weights of largest magnitude over all matrices together.

    One threshold for all, so that matrices keep different shares. Of equal magnitudes the first
    in the order of `weights` are kept.

    Args:
        weights: Weights by name, finite; not modified.
        density: Share of all entries to keep, in (0, 1]: round(density * total) are.

    Raises:
        ValueError: If density is not in (0, 1] or keeps nothing, or a weight is not finite.
    """
    if not 0 < density <= 1:
        raise ValueError(f"density is {density}; expected a share in (0, 1]")
    for name, weight in weights.items():
        if not weight.isfinite().all():
            raise ValueError(f"{name} is not finite; expected finite weights")
    magnitudes = torch.cat([weight.detach().abs().flatten() for weight in weights.values()])
    num_kept = round(density * len(magnitudes))
    if num_kept == 0:
        raise ValueError(f"density {density} keeps none of {len(magnitudes)} weights")
    kept = torch.zeros_like(magnitudes, dtype=torch.bool)
    kept[magnitudes.argsort(descending=True, stable=True)[:num_kept]] = True
    parts = kept.split([weight.numel() for weight in weights.values()])
    return {
        name: Mask(part.view(weight.shape))
        for (name, weight), part in zip(weights.items(), parts, strict=True)
    }


def random_masks(like: Mapping[str, Mask], seed: int) -> dict[str, Mask]:
    """Return masks that keep as many entries of each weight as others do, at random places.

    numpy's generator shares nothing with torch's, which drew the initial weights.
    """
    generator = np.random.default_rng(seed)
    masks = {}
    for name, mask in like.items():
        kept = np.arange(mask.kept.numel()) < mask.num_kept
        places = torch.from_numpy(generator.permutation(kept)).view(mask.kept.shape)
        masks[name] = Mask(places.to(mask.kept.device))
    return masks


def ticket_masks(
    weights: Mapping[str, Tensor], *, kind: Kind, density: float, seed: int
) -> dict[str, Mask]:
    """Return the masks of a lottery ticket.

    Args:
        weights: The source's final weights that are masked, by name; not modified.
        kind: magnitude and reinitialized have the magnitude mask, random the random one with its
            density in every layer.
        density: Share of all these weights that are kept, in (0, 1].
        seed: The source's seed, from which places at random are drawn.
    """
    masks = magnitude_masks(weights, density)
    return random_masks(masks, seed) if kind == "random" else masks
