"""Made-up checkpoints of which the truth is known: noise, strong directions, power laws.

Two networks, a small Llama-like and a VGG-like one, are noise and up to eight strong directions a
matrix; beside them is noise alone, and matrices whose eigenvalues are drawn from power laws. Only
imported, by `field_tools`.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor

EXPONENTS = (1.8, 2.5, 3.5, 5.0)


class Planted(NamedTuple):
    """What a made-up matrix is by construction: edge of its noise, strong directions, exponent."""

    edge: float = math.nan
    spikes: float = math.nan
    alpha: float = math.nan


Made = tuple[Tensor, Planted]


def write_files(folder: Path) -> tuple[dict[str, Planted], list[Path]]:
    """Write a file for each network; return what is known of each, FILE:MATRIX, and the files."""
    planted: dict[str, Planted] = {}
    paths = []
    for file, made in _files(torch.Generator().manual_seed(0)):
        paths.append(folder / f"{file}.safetensors")
        save_file({f"{name}.weight": weight for name, (weight, _) in made.items()}, paths[-1])
        planted |= {f"{file}:{name}": truth for name, (_, truth) in made.items()}
    return planted, paths


def _files(random: torch.Generator) -> Iterator[tuple[str, dict[str, Made]]]:
    block = {f"self_attn.{name}_proj": (256, 256) for name in "qo"}
    block |= {f"self_attn.{name}_proj": (64, 256) for name in "kv"}
    block |= {f"mlp.{name}_proj": (688, 256) for name in ("gate", "up")}
    block["mlp.down_proj"] = (256, 688)
    llama = {f"model.layers.{n}.{name}": shape for n in range(4) for name, shape in block.items()}
    llama |= {"model.embed_tokens": (1000, 256), "lm_head": (1000, 256)}
    widths = (3, 64, 64, 128, 128, 256, 256, 256)
    vgg: dict[str, tuple[int, ...]] = {
        f"features.{n}": (widths[n + 1], widths[n], 3, 3) for n in range(len(widths) - 1)
    }
    vgg |= {"classifier.0": (512, 256), "classifier.3": (512, 512), "classifier.6": (10, 512)}
    yield "llama", {name: _noisy(shape, 8, random) for name, shape in llama.items()}
    yield "vgg", {name: _noisy(shape, 8, random) for name, shape in vgg.items()}
    sizes = [(64, 64), (256, 256), (256, 512), (128, 1024), (512, 512), (300, 900)]
    yield "noise", {f"{m}x{n}.{i}": _noisy((m, n), 0, random) for m, n in sizes for i in range(4)}
    yield "pareto", {f"{a}.{i}": _pareto(a, random) for a in EXPONENTS for i in range(5)}


def _noisy(shape: tuple[int, ...], count: int, random: torch.Generator) -> Made:
    """Return noise and strong directions of 1.5 to 4 times its edge, an eighth of all at most."""
    m, n = shape[0], math.prod(shape[1:])
    edge, count = 1 + math.sqrt(m / n), min(count, min(m, n) // 8)
    left, right = (_directions(length, count, random) for length in (m, n))
    noise = torch.randn(m, n, generator=random).double() / math.sqrt(n)
    weight = noise + edge * left * torch.linspace(4, 1.5, count).double() @ right.mT
    return weight.float().reshape(shape), Planted(edge, count)


def _pareto(alpha: float, random: torch.Generator) -> Made:
    """Return a matrix of 300 eigenvalues of W W^T drawn from a density x^-alpha from 0.01 on."""
    uniform = torch.rand(300, generator=random).double()
    S = 0.1 * uniform ** (-0.5 / (alpha - 1))
    weight = _directions(300, 300, random) * S @ _directions(400, 300, random).mT
    return weight.float(), Planted(alpha=alpha)


def _directions(length: int, count: int, random: torch.Generator) -> Tensor:
    return torch.linalg.qr(torch.randn(length, count, generator=random).double()).Q
