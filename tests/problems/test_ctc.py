import itertools
import math

import pytest
import torch
from tests.problems.made_up import task_on

from specflow.datasets.shapes import SpeechShape
from specflow.datasets.utterances import CHARACTERS
from specflow.problems.ctc import Ctc, best_path, edits

SHAPE = SpeechShape(num_features=40, characters=CHARACTERS)
LSTM = {"kind": "lstm", "num_layers": 1, "hidden": 4, "bidirectional": True}


def part(texts: list[str], seed: int, frames: int = 4) -> dict[str, torch.Tensor]:
    """Random features with transcripts; " 'ab" are symbols 1, 2, 3, 4."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.zeros(len(texts), 3, dtype=torch.int64)
    for row, text in zip(targets, texts, strict=True):
        row[: len(text)] = torch.tensor([CHARACTERS.index(c) + 1 for c in text])
    lengths = torch.tensor([frames - index % 2 for index in range(len(texts))])
    return {
        "inputs": torch.randn(len(texts), frames + 2, 40, generator=generator),
        "input_lengths": lengths,
        "targets": targets,
        "target_lengths": torch.tensor([len(text) for text in texts]),
    }


@pytest.fixture
def task() -> Ctc:
    data = {
        "train": part(["ab", "a b", "b", "aa", "bab"], 0),
        "validation": part(["a", "b a", "ab"], 1),
    }
    found = task_on(data, {"kind": "ctc"}, LSTM, SHAPE)
    assert isinstance(found, Ctc)
    return found


def naive_collapse(path: tuple[int, ...]) -> list[int]:
    return [symbol for symbol, _ in itertools.groupby(path) if symbol != 0]


def naive_loss(logits: torch.Tensor, target: list[int]) -> float:
    """-log of the summed probabilities of every path that collapses to the target."""
    chances = logits.double().softmax(dim=1)
    symbols = sorted({0, *target})
    total = 0.0
    for path in itertools.product(symbols, repeat=len(chances)):
        if naive_collapse(path) == target:
            total += math.prod(float(chances[t, s]) for t, s in enumerate(path))
    return -math.log(total)


def naive_losses(task: Ctc, model: torch.nn.Module, split: str) -> list[float]:
    data = task.data[split]
    losses = []
    for index in range(len(data["inputs"])):
        length, count = int(data["input_lengths"][index]), int(data["target_lengths"][index])
        alone = data["inputs"][index : index + 1, :length]
        target = data["targets"][index, :count].tolist()
        logits = model(alone, torch.tensor([length]))[0]
        losses.append(naive_loss(logits.detach(), target) / count)
    return losses


def test_loss_is_that_of_all_paths_per_character_and_utterance(task: Ctc) -> None:
    torch.manual_seed(0)
    model = task.build_model()
    expected = sum(losses := naive_losses(task, model, "train")) / len(losses)
    loss = task.training_loss(model, slice(0, 5))
    assert loss.requires_grad
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
    assert task.evaluate(model, "train")["loss"] == pytest.approx(expected, rel=1e-5)
    some = task.training_loss(model, torch.tensor([3, 1]))
    assert float(some.detach()) == pytest.approx((losses[3] + losses[1]) / 2, rel=1e-5)


def test_an_utterance_too_short_for_its_transcript_has_an_infinite_loss(task: Ctc) -> None:
    task.data["train"]["input_lengths"][3] = 2  # "aa" needs three frames
    assert task.training_loss(task.build_model(), slice(0, 5)).isinf()


def test_metrics_do_not_depend_on_batches(task: Ctc) -> None:
    torch.manual_seed(0)
    model = task.build_model()
    found = task.evaluate(model, "validation")
    baseline = task.baseline_losses("validation", slice(None)).mean()
    assert found.pop("loss_baseline") == pytest.approx(float(baseline))
    assert set(found) == {"loss", "error", "word_error"}
    with torch.no_grad():
        whole = task.totals(model, "validation", slice(0, 3))
    assert found == pytest.approx({k: float(total) / count for k, (total, count) in whole.items()})
    assert whole["error"][1] == 1 + 3 + 2
    assert whole["word_error"][1] == 1 + 2 + 1


class Perfect(torch.nn.Module):
    """Gives the logits that spell given symbols, whatever it hears."""

    def __init__(self, paths: list[list[int]]) -> None:
        super().__init__()
        self.paths = paths

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(frames), int(lengths.max()), 29)
        for row, path in zip(logits, self.paths, strict=True):
            for place, symbol in zip(row, path, strict=False):
                place[symbol] = 20.0
        return logits


def test_error_is_total_edits_over_total_characters(task: Ctc) -> None:
    # True: "a", "b a" and "ab"; found: "a", "b" and "aab", whose lengths are 1, 1 and 3.
    model = Perfect([[3, 3, 0, 0], [4, 4, 0, 0], [3, 0, 3, 4]])
    totals = task.totals(model, "validation", slice(0, 3))
    assert float(totals["error"][0]) == 0 + 2 + 1
    assert float(totals["word_error"][0]) == 0 + 1 + 1


def test_best_path_matches_naive_and_stops_at_the_length() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(50, 12, 3, generator=generator)
    lengths = torch.randint(1, 13, (50,), generator=generator)
    found = best_path(logits, lengths)
    for rows, length, symbols in zip(logits, lengths.tolist(), found, strict=True):
        assert symbols == naive_collapse(tuple(rows[:length].argmax(dim=1).tolist()))
    assert max(map(len, found)) > 3


def naive_distance(a, b) -> int:
    if not a or not b:
        return len(a) + len(b)
    change = naive_distance(a[1:], b[1:]) + (a[0] != b[0])
    return min(change, naive_distance(a[1:], b) + 1, naive_distance(a, b[1:]) + 1)


def test_edits_match_naive_of_characters_and_of_words() -> None:
    pairs = [("kitten", "sitting"), ("", "abc"), ("abc", ""), ("flaw", "lawn"), ("same", "same")]
    found, true = map(list, zip(*pairs, strict=True))
    total, count = edits(found, true)
    assert (float(total), count) == (sum(naive_distance(a, b) for a, b in pairs), 18)
    words = [(["one", "two"], ["one", "three", "two"]), (["a"], ["a"])]
    total, count = edits(*map(list, zip(*words, strict=True)))
    assert (float(total), count) == (1.0, 4)


@pytest.mark.cuda
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_training_on_cuda_agrees_with_the_cpu(task: Ctc, precision: str) -> None:
    torch.manual_seed(0)
    model = task.build_model()
    expected = float(task.training_loss(model, slice(0, 5)).detach())
    metrics = task.evaluate(model, "validation")
    data = {split: {k: v.cuda() for k, v in part.items()} for split, part in task.data.items()}
    on_cuda, model = Ctc(task.settings, data, ""), model.cuda()
    half = {} if precision == "float32" else {"dtype": getattr(torch, precision)}
    with torch.autocast("cuda", enabled=bool(half), **half):
        loss = on_cuda.training_loss(model, slice(0, 5))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(expected, rel=0.02 if half else 1e-4)
    assert all(p.grad.isfinite().all() for p in model.parameters())
    assert on_cuda.evaluate(model, "validation")["loss"] == pytest.approx(metrics["loss"], rel=1e-3)


@pytest.mark.parametrize("num_frames", [1, 2, 7])
def test_random_utterances_are_long_enough_for_their_transcripts(task, num_frames):
    torch.manual_seed(0)
    samples = task.settings.problem.random_samples(SHAPE, 4, torch.device("cpu"), num_frames)
    samples["targets"][:] = 5  # a blank is needed between any two
    with torch.no_grad():
        task.data = {"train": samples, "validation": samples}
        assert task.training_loss(task.build_model(), slice(0, 4)).isfinite()


def test_baseline_of_single_utterances_is_that_of_all(task: Ctc) -> None:
    """So that the memory it needs is that of a batch."""
    single = [task.baseline_losses("train", slice(n, n + 1)) for n in range(5)]
    torch.testing.assert_close(torch.cat(single), task.baseline_losses("train", slice(None)))


def test_baseline_is_one_distribution_for_every_frame(task: Ctc) -> None:
    """Characters at their share of all training frames, each counted once more, and the blank."""
    train = task.data["train"]
    text = [s for row in train["targets"].tolist() for s in row if s]
    num_frames = int(train["input_lengths"].sum())
    counts = [1 + text.count(symbol) for symbol in range(29)]
    counts[0] = 1 + max(0, num_frames - len(text) - 29)
    shares = [count / sum(counts) for count in counts]
    part = task.data["validation"]
    for found, row, frames in zip(
        task.baseline_losses("validation", slice(None)),
        part["targets"].tolist(),
        part["input_lengths"],
        strict=True,
    ):
        true = [symbol for symbol in row if symbol]
        chance = sum(
            math.prod(shares[symbol] for symbol in path)
            for path in itertools.product({0, *true}, repeat=int(frames))
            if [s for s, _ in itertools.groupby(path) if s] == true
        )
        assert float(found) == pytest.approx(-math.log(chance) / len(true))
