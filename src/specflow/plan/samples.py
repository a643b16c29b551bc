"""Random samples in the shape of a run's data, where the data themselves are not wanted."""

import torch
from torch import Tensor

from specflow.params.datasets import ImageShape, TokenShape
from specflow.params.speech import SpeechShape
from specflow.params.tasks import RunParams


def random_samples(
    run: RunParams, count: int, device: torch.device, num_frames: int = 3
) -> dict[str, Tensor]:
    """Return what a training step reads of `count` samples, drawn from torch's global generator.

    Args:
        run: The resolved config; its dataset need not be prepared.
        count: Number of samples.
        device: Where they lie; on the device `meta` they have shapes alone.
        num_frames: Frames of every utterance of speech; each second one has a character.

    Returns:
        Arrays by name, as the run's task reads them.
    """
    match run.dataset.shape:
        case ImageShape(channels=channels, size=size, num_classes=num_classes):
            return {
                "inputs": torch.randn(count, channels, size, size, device=device),
                "targets": torch.randint(num_classes, (count,), device=device),
            }
        case TokenShape(num_tokens=num_tokens, length=length):
            if run.problem.kind == "language_modelling":
                return {"tokens": torch.randint(num_tokens, (count, length + 1), device=device)}
            return {
                "inputs": torch.randint(num_tokens, (count, length), device=device),
                "targets": torch.randint(num_tokens, (count,), device=device),
            }
        case SpeechShape(num_features=num_features, num_symbols=num_symbols):
            length = (num_frames + 1) // 2  # enough frames for a blank before every symbol
            return {
                "inputs": torch.randn(count, num_frames, num_features, device=device),
                "input_lengths": torch.full((count,), num_frames, device=device),
                "targets": torch.randint(1, num_symbols, (count, length), device=device),
                "target_lengths": torch.full((count,), length, device=device),
            }
