"""Hidden states of torch's LSTM over utterances of different lengths, the fast way of each device.

Dimensions: B batch, T frames of the longest, F features of the layer below, H hidden units.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def hidden_states(lstm: nn.LSTM, x_BTF: Tensor, lengths: Tensor) -> Tensor:
    """Return the states of the last layer, those of both directions side by side.

    On the CPU torch takes packed utterances frame by frame, and fills zeros of the size of all
    frames for the gradient of each. A layer in one direction is one call of oneDNN there, if
    utterances are padded: no true frame reads padding that comes after it. To be read backwards,
    the true frames of every utterance change places.

    Args:
        lstm: With biases, without dropout; float32 or float64, with `batch_first`.
        x_BTF: Frames, padded at the end with finite numbers; shape (B, at least T, F).
        lengths: Number of true frames of each utterance, shape (B,), at least 1.

    Returns:
        Shape (B, T, directions * H); beyond an utterance's length they mean nothing.
    """
    if x_BTF.device.type != "cpu":
        packed = pack_padded_sequence(x_BTF, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(lstm(packed)[0], batch_first=True)[0]
    x_TBF = x_BTF[:, : int(lengths.max())].transpose(0, 1)
    places = _reversed_places(lengths)
    for layer in range(lstm.num_layers):
        states = [_one_direction(lstm, f"l{layer}", x_TBF)]
        if lstm.bidirectional:
            backwards = _one_direction(lstm, f"l{layer}_reverse", _moved(x_TBF, places))
            states.append(_moved(backwards, places))
        x_TBF = torch.cat(states, dim=2)
    return x_TBF.transpose(0, 1)


def _one_direction(lstm: nn.LSTM, name: str, x_TBF: Tensor) -> Tensor:
    """Return the states (T, B, H) of the layer and direction whose parameters have such a name."""
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    parameters = [getattr(lstm, f"{kind}_{name}") for kind in kinds]
    start = x_TBF.new_zeros(1, x_TBF.shape[1], lstm.hidden_size)
    return torch.lstm(
        x_TBF,
        (start, start),
        parameters,
        has_biases=True,
        num_layers=1,
        dropout=0.0,
        train=lstm.training,
        bidirectional=False,
        batch_first=False,
    )[0]


def _reversed_places(lengths: Tensor) -> Tensor:
    """Return where each frame of (T * B) is when utterances are read backwards, padding stays."""
    frame = torch.arange(int(lengths.max()))[:, None]
    reversed_TB = torch.where(frame < lengths, lengths - 1 - frame, frame)
    return (reversed_TB * len(lengths) + torch.arange(len(lengths))).flatten()


def _moved(x_TBF: Tensor, places: Tensor) -> Tensor:
    return x_TBF.flatten(0, 1).index_select(0, places).view_as(x_TBF)
