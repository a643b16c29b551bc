"""A small network in the naming of Llama, and the same fine-tuned."""

import torch

ATTENTION = {"q": 16, "k": 16, "v": 16, "o": 16}
BLOCKS, WIDTH, INNER, TOKENS = 2, 16, 24, 40


def base(seed: int = 0) -> dict[str, torch.Tensor]:
    """A small network in the naming of Llama."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"model.embed_tokens.weight": (TOKENS, WIDTH), "lm_head.weight": (TOKENS, WIDTH)}
    for block in range(BLOCKS):
        at = f"model.layers.{block}"
        shapes |= {f"{at}.self_attn.{n}_proj.weight": (s, WIDTH) for n, s in ATTENTION.items()}
        shapes |= {f"{at}.mlp.{n}_proj.weight": (INNER, WIDTH) for n in ("gate", "up")}
        shapes |= {f"{at}.mlp.down_proj.weight": (WIDTH, INNER)}
    weights = {
        name: 0.1 * torch.randn(shape, generator=generator) for name, shape in shapes.items()
    }
    norms = {f"model.layers.{n}.input_layernorm.weight": torch.ones(WIDTH) for n in range(BLOCKS)}
    return weights | norms


def tuned(weights: dict[str, torch.Tensor], rank: int = 2) -> dict[str, torch.Tensor]:
    """The same with a change of low rank in every down projection."""
    generator, found = torch.Generator().manual_seed(1), dict(weights)
    for name in weights:
        if "down_proj" in name:
            parts = [(WIDTH, rank), (rank, INNER)]
            left, right = (torch.randn(shape, generator=generator) for shape in parts)
            found[name] = weights[name] + 0.05 * left @ right
    return found
