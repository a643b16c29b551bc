import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from specflow.models.recurrence import hidden_states


def packed(lstm: nn.LSTM, x: Tensor, lengths: Tensor) -> Tensor:
    """The slow twin: torch's own way with utterances of different lengths, zero beyond them."""
    sequence = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(lstm(sequence)[0], batch_first=True)[0]


def made(seed: int, dtype: torch.dtype, layers: int, bidirectional: bool):
    torch.manual_seed(seed)
    size = {"batch_first": True, "bidirectional": bidirectional}
    lstm = nn.LSTM(5, 6, layers, **size).to(dtype)
    lengths = torch.randint(1, 12, (int(torch.randint(1, 9, ())),))
    x = torch.randn(len(lengths), int(lengths.max()) + 2, 5, dtype=dtype)
    return lstm, x, lengths


def outcome(way, lstm: nn.LSTM, x: Tensor, lengths: Tensor, weights: Tensor) -> list[Tensor]:
    """True states, and the gradients of all parameters and of the frames."""
    lstm.zero_grad()
    x = x.clone().requires_grad_()
    states = way(lstm, x, lengths)
    true = (torch.arange(states.shape[1]) < lengths[:, None])[..., None]
    (states * weights * true).sum().backward()
    parameters = [p.grad.clone() for p in lstm.parameters() if p.grad is not None]
    assert x.grad is not None
    return [states.detach() * true, *parameters, x.grad]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_states_and_gradients_are_those_of_packed_utterances(
    seed: int, bidirectional: bool, dtype: torch.dtype, training: bool
) -> None:
    lstm, x, lengths = made(seed, dtype, 1 + seed % 3, bidirectional)
    lstm.train(training)
    weights = torch.randn(len(lengths), int(lengths.max()), 6 * (1 + bidirectional), dtype=dtype)
    found = outcome(hidden_states, lstm, x, lengths, weights)
    expected = outcome(packed, lstm, x, lengths, weights)
    assert len(found) == len(expected) == 2 + 4 * lstm.num_layers * (1 + bidirectional)
    tolerance = 2e-6 if dtype == torch.float32 else 1e-14
    for a, b in zip(found, expected, strict=True):
        assert (a - b).norm() <= tolerance * b.norm() + tolerance


@pytest.mark.parametrize("bidirectional", [True, False])
def test_states_are_the_same_without_onednn(bidirectional: bool, monkeypatch) -> None:
    lstm, x, lengths = made(2, torch.float32, 2, bidirectional)
    weights = torch.ones(len(lengths), int(lengths.max()), 6 * (1 + bidirectional))
    found = outcome(hidden_states, lstm, x, lengths, weights)
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    same = outcome(hidden_states, lstm, x, lengths, weights)
    for a, b in zip(found, same, strict=True):
        torch.testing.assert_close(a, b)


def test_padding_has_no_gradient() -> None:
    lstm, x, lengths = made(3, torch.float64, 2, True)
    weights = torch.randn(len(lengths), int(lengths.max()), 12, dtype=torch.float64)
    *_, gradient = outcome(hidden_states, lstm, x, lengths, weights)
    padding = torch.arange(x.shape[1]) >= lengths[:, None]
    assert (gradient[padding] == 0).all()
    assert (gradient[~padding] != 0).all()
