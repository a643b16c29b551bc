"""UNet for noise prediction: the residual form of the paper, encoder outputs added on the way up.

3x3 convolutions without padding, of stride 1 at the first level and 2 below, and transposed ones
that mirror them; the output layer alone has a bias. Every level but the output adds its own linear
projection of the time embedding, then GroupNorm and swish. Numbering is that of the paper: tconv i
undoes conv i, dense 1 to n belong to the convolutions, the others follow the transposed
convolutions from the deepest on.

Dimensions: B batch, C channels, S pixels of a side, E embedding width.
"""

import math
from itertools import chain, pairwise
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from specflow.datasets.shapes import DataShape, ImageShape
from specflow.models.network import ModelSection, Network
from specflow.section import Positive, Width
from specflow.wiring import Wiring, follow


class UnetParams(ModelSection):
    """Noise-prediction UNet: `channels` lists the width of every level, from the images down.

    Attributes:
        channels: Multiples of 4; from 64 on multiples of 32, the number of groups of GroupNorm.
        embedding_width: Width of the time embedding, an even number.
        fourier_scale: Standard deviation of the frequencies of its Gaussian Fourier features.
    """

    kind: Literal["unet"]
    channels: Annotated[tuple[Width, ...], Field(strict=False, min_length=2, max_length=30)]
    embedding_width: Annotated[int, Field(ge=2, le=2**20, multiple_of=2)]
    fourier_scale: Positive
    reads: ClassVar[str] = "images"
    solves: ClassVar[tuple[str, ...]] = ("diffusion",)

    @model_validator(mode="after")
    def _groups_fit(self) -> "UnetParams":
        for width in self.channels:
            divisor = 4 if width < 64 else 32
            if width % divisor:
                raise ValueError(
                    f"channels has {width}, which does not make equal groups of GroupNorm; "
                    f"expected a multiple of {divisor}"
                )
        return self

    def sizes(self, size: int) -> list[int]:
        """Return the pixels of a side that every level reads, and at last those at the bottom."""
        sizes = [size]
        for level in range(len(self.channels)):
            sizes.append((sizes[-1] - 3) // _stride(level) + 1)
        return sizes

    def check_shape(self, shape: DataShape) -> None:
        """Check that images are large enough for so many levels.

        Raises:
            ValueError: If the data are not images, or too small.
        """
        super().check_shape(shape)
        if isinstance(shape, ImageShape) and self.sizes(shape.size)[-1] < 1:
            raise ValueError(
                f"unet of {len(self.channels)} levels reads no images of {shape.size} x "
                f"{shape.size} pixels; expected larger images or fewer levels"
            )

    def _build(self, shape: ImageShape, last_position_only: bool) -> "Unet":
        return Unet(self, shape)


def _stride(level: int) -> int:
    return 1 if level == 0 else 2


class TimeEmbedding(nn.Module):
    """Gaussian Fourier features of time (Tancik et al. 2020), frequencies fixed, then linear."""

    frequencies: Tensor

    def __init__(self, width: int, scale: float) -> None:
        """Draw width / 2 frequencies of standard deviation `scale`, in periods over all time."""
        super().__init__()
        self.register_buffer("frequencies", scale * torch.randn(width // 2))
        self.linear = nn.Linear(width, width)

    def forward(self, times: Tensor) -> Tensor:
        """Return embeddings (B, E) of times (B,) in [0, 1)."""
        angles = 2 * math.pi * times[:, None] * self.frequencies
        return functional.silu(self.linear(torch.cat([angles.sin(), angles.cos()], dim=1)))


class Level(nn.Module):
    """A convolution, the time projection added to it, GroupNorm and swish."""

    def __init__(self, conv: nn.Module, width: int, channels: int, groups: int) -> None:
        """Build a level around a convolution that writes `channels`; E is `width`."""
        super().__init__()
        self.conv = conv
        self.dense = nn.Linear(width, channels)
        self.norm = nn.GroupNorm(groups, channels)

    def forward(self, images: Tensor, embedding: Tensor) -> Tensor:
        """Return features (B, C, S', S') of images (B, C', S, S) and an embedding (B, E)."""
        hidden = self.conv(images) + self.dense(embedding)[:, :, None, None]
        return functional.silu(self.norm(hidden))


class Unet(Network):
    """Noise-prediction UNet of any number of levels."""

    def __init__(self, params: UnetParams, shape: ImageShape) -> None:
        """Build the network with torch's default initialization."""
        super().__init__()
        widths, width = params.channels, params.embedding_width
        sizes = params.sizes(shape.size)
        self.time = TimeEmbedding(width, params.fourier_scale)
        self.down = nn.ModuleList()
        for level, (before, after) in enumerate(pairwise((shape.channels, *widths))):
            conv = nn.Conv2d(before, after, 3, stride=_stride(level), bias=False)
            self.down.append(Level(conv, width, after, _groups(after, 32 if level else 4)))
        self.up = nn.ModuleList()
        for level in range(len(widths) - 1, 0, -1):
            before, after = widths[level], widths[level - 1]
            mirror = _transposed(before, after, _stride(level), sizes[level])
            self.up.append(Level(mirror, width, after, _groups(after, 32)))
        self.output = _transposed(widths[0], shape.channels, _stride(0), sizes[0], bias=True)
        self.wiring = _wiring(self)

    def forward(self, images: Tensor, times: Tensor) -> Tensor:
        """Return the noise (B, C, S, S) that noised images of this shape hold.

        Times (B,) are the share of the noising process that has passed, in [0, 1).
        """
        embedding = self.time(times)
        encoded: list[Tensor] = []
        for level in self.down:
            images = level(images, embedding)
            encoded.append(images)
        hidden = encoded.pop()
        for level in self.up:
            hidden = level(hidden, embedding) + encoded.pop()
        return self.output(hidden)


def _groups(channels: int, limit: int) -> int:
    """Return `limit`, but never so many that a group has less than two channels.

    Two are the paper's least (64 in 32 groups). A group of one would take out whatever is the same
    at every pixel, and so all that the time embedding adds.
    """
    return min(limit, channels // 2)


def _transposed(
    before: int, after: int, stride: int, size: int, *, bias: bool = False
) -> nn.ConvTranspose2d:
    """Return the mirror of a convolution that reads `size` pixels of a side: it writes as many."""
    padding = (size - 3) % stride  # the rows that the convolution does not reach
    return nn.ConvTranspose2d(before, after, 3, stride, output_padding=padding, bias=bias)


def _wiring(model: Unet) -> Wiring:
    """Return the wiring: the way down and up, time projections, and skips.

    A projection is added to what its convolution writes, so it meets whatever that meets.
    """
    count = len(model.down)
    embedding = model.matrix("time.linear.weight", "time embedding", "time embedding")
    down = [
        (
            model.matrix(f"down.{i}.conv.weight", f"conv {i + 1}", "conv"),
            model.matrix(f"down.{i}.dense.weight", f"dense {i + 1}", "time projection"),
        )
        for i in range(count)
    ]
    up = [
        (
            model.matrix(f"up.{i}.conv.weight", f"tconv {count - i}", "conv", transposed=True),
            model.matrix(f"up.{i}.dense.weight", f"dense {count + 1 + i}", "time projection"),
        )
        for i in range(count - 1)
    ]
    output = model.matrix("output.weight", "output", "output", transposed=True)
    decoder = [*(conv for conv, _ in up), output]
    below = [*(conv for conv, _ in down[1:]), decoder[0]]
    mirrors = decoder[:0:-1]  # tconv 1, which is the output, to tconv (count - 1)
    pairs = [follow(m, b) for level, b in zip(down, below, strict=True) for m in level]
    pairs += [follow(a, b) for a, b in pairwise(decoder)]
    pairs += [follow(m, t) for level, t in zip(down[:-1], mirrors, strict=True) for m in level]
    return Wiring((embedding, *chain.from_iterable(down + up), output), tuple(pairs))
