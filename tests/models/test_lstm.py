import pytest
import torch

from specflow.datasets.shapes import SpeechShape
from specflow.models.lstm import Lstm


def utterances() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([4, 7, 1, 7, 2])
    frames = torch.randn(5, 9, 5, generator=generator, dtype=torch.float64)
    return frames, lengths


def naive_direction(model: Lstm, frames: list, layer: int, suffix: str) -> list:
    """Hidden states of one direction, gate by gate from the equations of the LSTM."""
    W, R, b, c = (
        getattr(model.lstm, f"{name}_l{layer}{suffix}")
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    size = R.shape[1]
    hidden, cell = torch.zeros(2, size, dtype=torch.float64)
    states = []
    for frame in frames if not suffix else frames[::-1]:
        gates = W @ frame + b + R @ hidden + c
        i, f, g, o = (gates[k * size : (k + 1) * size] for k in range(4))
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        states.append(hidden)
    return states if not suffix else states[::-1]


@pytest.mark.parametrize("bidirectional", [True, False])
def test_forward_matches_naive_one_utterance_at_a_time(models, bidirectional):
    model = models.lstm(bidirectional)
    frames, lengths = utterances()
    logits = model(frames, lengths)
    assert logits.shape == (5, 7, 4)
    for rows, length, found in zip(frames, lengths, logits, strict=True):
        states = list(rows[:length])
        for layer in range(2):
            sides = [
                naive_direction(model, states, layer, suffix)
                for suffix in ("", "_reverse")[: 1 + bidirectional]
            ]
            states = [torch.cat(both) for both in zip(*sides, strict=True)]
        expected = torch.stack([model.output.weight @ s + model.output.bias for s in states])
        torch.testing.assert_close(found[:length], expected)


def test_padding_has_no_influence(models):
    model = models.lstm()
    frames, lengths = utterances()
    changed = frames.clone()
    for row, length in zip(changed, lengths, strict=True):
        row[length:] = 100.0
    found, same = model(frames, lengths), model(changed, lengths)
    true = torch.arange(7) < lengths[:, None]
    assert torch.equal(found[true], same[true])
    changed[0, 0] += 1.0
    assert not torch.equal(model(changed, lengths)[0, :4], found[0, :4])


def test_gradients_are_the_same_bits_twice(models):
    frames, lengths = utterances()
    gradients = []
    for _ in range(2):
        model = models.lstm().float()
        model(frames.float(), lengths).square().sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert torch.equal(*gradients)


def test_paper_size_has_as_many_parameters_as_written_out(models):
    shape = SpeechShape(num_features=40, characters="x" * 28)
    first = 4 * 256 * (40 + 256 + 2)
    above = 4 * 256 * (512 + 256 + 2)
    expected = 2 * first + 3 * 2 * above + 29 * (512 + 1)
    found = models.num_parameters("lstm", shape=shape, num_layers=4, hidden=256, bidirectional=True)
    assert found == expected == 5_356_061
