"""A training step of the paper's modular-addition transformer against `torch.nn`'s own layers.

The step is forward, backward and fused AdamW on the full batch (p = 113, 30% of the pairs). One
side is the network of this library, which computes the last position only; the other is the same
model from `torch.nn.TransformerEncoder` (causal mask, norms taken out), which computes every
position. Both start from the same weights and take turns in one process, and their losses must stay
the same.

    python benchmarks/transformer_step.py [--repetitions N]
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from specflow.datasets.modular_addition import ModularAdditionParams
from specflow.models.network import Network
from specflow.models.transformer import TransformerParams, sinusoidal_positions

DATA = ModularAdditionParams(kind="modular_addition", modulus=113, train_fraction=0.3, seed=0)
MODEL = TransformerParams(
    kind="transformer", num_blocks=1, d_model=128, num_heads=4, d_mlp=512, norm="none"
)
WARM_UP = 3
TARGET = 4

Step = Callable[[], float]


class EveryPosition(nn.Module):
    """The model as it is written with torch's own layers."""

    def __init__(self, network: Network) -> None:
        """Take over the weights of a network of this library."""
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            MODEL.d_model,
            MODEL.num_heads,
            MODEL.d_mlp,
            dropout=0.0,
            batch_first=True,
            norm_first=True,
        )
        layer.register_module("norm1", nn.Identity())
        layer.register_module("norm2", nn.Identity())
        self.encoder = nn.TransformerEncoder(layer, MODEL.num_blocks, enable_nested_tensor=False)
        self.embedding = nn.Embedding(DATA.shape.num_tokens, MODEL.d_model)
        self.output = nn.Linear(MODEL.d_model, DATA.shape.num_tokens)
        weights = network.state_dict()
        self.load_state_dict(
            {name.replace("blocks.", "encoder.layers."): w.clone() for name, w in weights.items()}
        )
        length = DATA.shape.length
        self.positions = sinusoidal_positions(length, MODEL.d_model)
        self.mask = nn.Transformer.generate_square_subsequent_mask(length)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the last position's logits (batch, tokens), after computing every position's."""
        x = self.embedding(tokens) * math.sqrt(MODEL.d_model) + self.positions
        return self.output(self.encoder(x, mask=self.mask, is_causal=True))[:, -1]


def training_step(model: nn.Module, inputs: Tensor, targets: Tensor) -> Step:
    """Return a function that takes one optimizer step and returns the loss before it."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), fused=True)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def full_batch() -> tuple[Tensor, Tensor]:
    """Return tokens `a b =` and targets (a + b) mod p of the training pairs."""
    modulus = DATA.modulus
    generator = torch.Generator().manual_seed(DATA.seed)
    pairs = torch.randperm(modulus**2, generator=generator)[: DATA.num_train]
    first, second = pairs // modulus, pairs % modulus
    equals = torch.full_like(first, modulus)
    return torch.stack([first, second, equals], dim=1), (first + second) % modulus


def take_turns(ours: Step, theirs: Step, repetitions: int) -> tuple[float, float]:
    """Return the median seconds of a step of each side, after checking each step's losses."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(-WARM_UP, repetitions):
        losses = []
        for step, seconds in zip((ours, theirs), times, strict=True):
            start = time.perf_counter()
            losses.append(step())
            if turn >= 0:
                seconds.append(time.perf_counter() - start)
        assert math.isclose(*losses, rel_tol=1e-4), f"the losses of the two sides are {losses}"
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> None:
    """Measure both sides and print their times and the ratio."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--repetitions", type=int, default=20)
    repetitions = parser.parse_args().repetitions
    torch.manual_seed(0)
    network = MODEL.build(DATA.shape, last_position_only=True)
    inputs, targets = full_batch()
    peer = training_step(EveryPosition(network), inputs, targets)
    ours, theirs = take_turns(training_step(network, inputs, targets), peer, repetitions)
    print(
        f"transformer training step, p = {DATA.modulus}, batch {len(inputs)}, "
        f"{torch.get_num_threads()} threads, median of {repetitions}: last position only "
        f"{ours * 1e3:.0f} ms, every position with torch.nn {theirs * 1e3:.0f} ms, "
        f"ratio {theirs / ours:.1f} (target: at least {TARGET})"
    )


if __name__ == "__main__":
    main()
