"""A small language model that learns Python from `argparse.py`, watched in a plain loop."""

import argparse
import inspect
from collections.abc import Iterator

import torch
from torch import Tensor, nn

import specflow

LENGTH, BATCH, WIDTH = 64, 16, 128
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class LanguageModel(nn.Module):
    """A transformer of characters."""

    def __init__(self, num_tokens: int, width: int = WIDTH) -> None:
        """Make the layers."""
        super().__init__()
        self.embedding = nn.Embedding(num_tokens, width)
        self.position = nn.Parameter(0.02 * torch.randn(LENGTH, width))
        layer = nn.TransformerEncoderLayer(
            width, nhead=4, dim_feedforward=4 * width, dropout=0.0, batch_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, num_layers=2)
        self.output = nn.Linear(width, num_tokens)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits of the next token at each place."""
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1], tokens.device)
        hidden = self.embedding(tokens) + self.position[: tokens.shape[1]]
        return self.output(self.blocks(hidden, mask=mask, is_causal=True))


def tokens_of_text() -> tuple[Tensor, int]:
    """Return the characters of a module as numbers, and how many there are of them."""
    text = inspect.getsource(argparse)
    characters = sorted({*text})
    places = {character: place for place, character in enumerate(characters)}
    return torch.tensor([places[character] for character in text]), len(characters)


def training(steps: int, width: int = WIDTH) -> tuple[LanguageModel, Iterator[tuple[int, Tensor]]]:
    """Return a model, and what takes a step whenever it is asked for the next one and its loss."""
    torch.manual_seed(0)
    tokens, num_tokens = tokens_of_text()
    tokens, model = tokens.to(DEVICE), LanguageModel(num_tokens, width).to(DEVICE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def taken() -> Iterator[tuple[int, Tensor]]:
        for step in range(steps):
            starts = torch.randint(len(tokens) - LENGTH - 1, (BATCH, 1), device=DEVICE)
            windows = tokens[starts + torch.arange(LENGTH + 1, device=DEVICE)]
            logits = model(windows[:, :-1])
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield step, loss

    return model, taken()


def train(steps: int, path: str) -> float:
    """Train, watched, and return the last loss."""
    model, taken = training(steps)
    with specflow.watch(model, path, every=200) as watch:
        for step, loss in taken:
            watch.step(step, loss=loss)
    return loss.item()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--output", default="language_model.h5")
    chosen = parser.parse_args()
    print(f"last loss: {train(chosen.steps, chosen.output):.3f}")
    print(f"specflow page {chosen.output}")
