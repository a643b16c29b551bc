import pytest

from specflow.datasets.librispeech import LibriSpeechParams
from specflow.datasets.modular_addition import ModularAdditionParams
from specflow.datasets.reference_text import ReferenceTextParams
from specflow.datasets.tokenizers import ByteParams
from specflow.models.lstm import LstmParams
from specflow.models.mlp import MlpParams
from specflow.models.transformer import TransformerParams
from specflow.plan import costs as module
from specflow.plan.costs import costs_of, state_bytes
from specflow.problems.ctc import CtcParams
from specflow.problems.language_modelling import LanguageModellingParams
from specflow.training.optimizers import AdamWParams, SgdParams


def on(dataset):
    """What of a run says that it trains on a dataset."""
    return {"shape": dataset.shape, "num_train": dataset.num_train}


def costs(run, mean_frames=None, **changed):
    return costs_of({"run": run.model_copy(update=changed)}, {"run": mean_frames})["run"]


def test_mlp_costs_are_those_of_its_matrices(digits_run):
    found = costs(digits_run, model=MlpParams(kind="mlp", hidden=(32, 16)))
    first, second, last = 1024 * 32, 32 * 16, 16 * 10
    assert found.sizes == (first, 32, second, 16, last, 10)
    assert found.checkpoint_bytes == 4 * (first + second + last + 58)
    # Two FLOPs a weight forward, two for its gradient, two for that of its input: images have none.
    assert found.flops_per_sample == 6 * (second + last) + 4 * first


def test_transformer_flops_are_those_of_its_matrices_and_of_attention(digits_run):
    d_model, d_mlp, num_blocks, length = 8, 24, 2, 16
    shape = {"num_blocks": num_blocks, "d_model": d_model, "num_heads": 2, "d_mlp": d_mlp}
    sizes = {"length": length, "num_train_sequences": 100, "num_validation_sequences": 10}
    dataset = ReferenceTextParams(
        kind="reference_text",
        tokenizer=ByteParams(kind="bytes"),
        validation_fraction=0.1,
        seed=0,
        **sizes,
    )
    found = costs(
        digits_run,
        model=TransformerParams(kind="transformer", norm="layer", **shape),
        problem=LanguageModellingParams(kind="language_modelling"),
        **on(dataset),
    )
    block, vocabulary = 4 * d_model**2 + 2 * d_model * d_mlp, 257
    weights = num_blocks * block + vocabulary * d_model  # the embedding is looked up
    attention = 2 * num_blocks * length**2 * d_model  # queries with keys, weights with values
    assert found.flops_per_sample == 6 * (length * weights + attention)
    biases_and_norms = num_blocks * (9 * d_model + d_mlp) + vocabulary
    assert sum(found.sizes) == weights + vocabulary * d_model + biases_and_norms


def test_short_cuts_of_large_batches_are_counted(addition_run):
    dataset = ModularAdditionParams(kind="modular_addition", modulus=13, train_fraction=0.9, seed=0)
    small = costs(addition_run, **on(dataset))
    large = costs(addition_run, **on(dataset), batch_size="full")
    assert large.sizes == small.sizes
    assert large.flops_per_sample < small.flops_per_sample


def test_speech_is_counted_for_the_mean_number_of_frames(digits_run):
    dataset = LibriSpeechParams(kind="librispeech", logarithm=True, seed=0)
    model = LstmParams(kind="lstm", num_layers=2, hidden=8, bidirectional=True)
    frames = dataset.mean_frames
    found = costs(digits_run, frames, model=model, problem=CtcParams(kind="ctc"), **on(dataset))
    first, second, hidden, output = 2 * 32 * 40, 2 * 32 * 16, 2 * 32 * 8, 29 * 16
    assert found.mean_frames == frames == pytest.approx(423, abs=0.5)
    of_all = 4 * first + 6 * (second + 2 * hidden + output)
    # The hidden state before the first frame is zero and has no gradient.
    assert found.flops_per_sample == pytest.approx(frames * of_all - 2 * (2 * hidden))


def test_buffers_count_as_they_are_stored(digits_run):
    found = costs(digits_run)
    statistics = 2 * 4 * (1 + 2 + 4 + 4 + 8 + 8 + 8 + 8) + 8 * 8  # and int64 counts of batches
    assert found.checkpoint_bytes == 4 * sum(found.sizes) + statistics


def test_equal_models_are_counted_once(digits_run, monkeypatch):
    counted = []
    count = module._count_flops
    monkeypatch.setattr(module, "_count_flops", lambda *a: counted.append(a) or count(*a))
    decayed = digits_run.optimizer.model_copy(update={"weight_decay": 0.1})
    other = digits_run.model_copy(update={"optimizer": decayed})
    larger = digits_run.model_copy(update={"model": MlpParams(kind="mlp", hidden=(4,))})
    found = costs_of({"a": digits_run, "b": other, "c": larger}, dict.fromkeys("abc"))
    assert len(counted) == 2
    assert found["a"] == found["b"] != found["c"]


SGD = {"kind": "sgd", "learning_rate": 0.1, "weight_decay": 0.0}
ADAMW = AdamWParams(kind="adamw", learning_rate=0.1, betas=(0.9, 0.99), weight_decay=0.0)


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (ADAMW, 2 * 4 * 110 + 2 * 4),  # two moments, and a step for each parameter
        (SgdParams(**SGD, momentum=0.9), 4 * 110),
        (SgdParams(**SGD, momentum=0.0), 0),
    ],
)
def test_optimizer_state_has_two_moments_one_or_none(optimizer, expected):
    assert state_bytes(optimizer, (100, 10)) == expected
