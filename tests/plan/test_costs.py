import pytest

from specflow.params.datasets import ByteParams, ModularAdditionParams, ReferenceTextParams
from specflow.params.models import LstmParams, MlpParams, TransformerParams
from specflow.params.optimization import AdamWParams, SgdParams
from specflow.params.problems import CtcParams, LanguageModellingParams
from specflow.params.speech import LibriSpeechParams
from specflow.plan.costs import ModelCosts, model_costs, state_bytes


def costs_of(run, **changed):
    return model_costs({"run": run.model_copy(update=changed)})["run"]


def language(d_model=8, d_mlp=24, num_blocks=2, length=16):
    dataset = ReferenceTextParams(
        kind="reference_text",
        tokenizer=ByteParams(kind="bytes"),
        length=length,
        num_train_sequences=100,
        num_validation_sequences=10,
        validation_fraction=0.1,
        seed=0,
    )
    model = TransformerParams(
        kind="transformer",
        num_blocks=num_blocks,
        d_model=d_model,
        num_heads=2,
        d_mlp=d_mlp,
        norm="layer",
    )
    problem = LanguageModellingParams(kind="language_modelling")
    return {"dataset": dataset, "model": model, "problem": problem}


def test_mlp_costs_are_those_of_its_matrices(digits_run):
    model = MlpParams(kind="mlp", hidden=(32, 16))
    costs = costs_of(digits_run, model=model)
    first, second, last = 1024 * 32, 32 * 16, 16 * 10
    assert costs.sizes == (first, 32, second, 16, last, 10)
    assert costs.parameters == first + second + last + 58
    assert costs.checkpoint_bytes == 4 * costs.parameters
    # Two FLOPs a weight forward, two for its gradient, two for that of its input: images have none.
    assert costs.flops_per_sample == 6 * (second + last) + 4 * first


def test_transformer_flops_are_those_of_its_matrices_and_of_attention(digits_run):
    d_model, d_mlp, num_blocks, length = 8, 24, 2, 16
    costs = costs_of(digits_run, **language(d_model, d_mlp, num_blocks, length))
    block, vocabulary = 4 * d_model**2 + 2 * d_model * d_mlp, 257
    weights = num_blocks * block + vocabulary * d_model  # the embedding is looked up
    attention = 2 * num_blocks * length**2 * d_model  # queries with keys, weights with values
    assert costs.flops_per_sample == 6 * (length * weights + attention)
    biases_and_norms = num_blocks * (9 * d_model + d_mlp) + 2 * d_model + vocabulary
    assert costs.parameters == weights + vocabulary * d_model + biases_and_norms


def test_short_cuts_of_large_batches_are_counted(addition_run):
    dataset = ModularAdditionParams(kind="modular_addition", modulus=13, train_fraction=0.9, seed=0)
    small = costs_of(addition_run, dataset=dataset)
    large = costs_of(addition_run, dataset=dataset, batch_size="full")
    assert large.sizes == small.sizes
    assert large.flops_per_sample < small.flops_per_sample


def test_speech_is_counted_for_the_mean_number_of_frames(digits_run):
    dataset = LibriSpeechParams(kind="librispeech", logarithm=True, seed=0)
    changed = {"dataset": dataset, "problem": CtcParams(kind="ctc")}
    model = LstmParams(kind="lstm", num_layers=2, hidden=8, bidirectional=True)
    costs = costs_of(digits_run, model=model, **changed)
    first, second, hidden, output = 2 * 32 * 40, 2 * 32 * 16, 2 * 32 * 8, 29 * 16
    frames = dataset.mean_frames
    assert frames == pytest.approx(423, abs=0.5)
    of_all = 4 * first + 6 * (second + 2 * hidden + output)
    # The hidden state before the first frame is zero and has no gradient.
    assert costs.flops_per_sample == pytest.approx(frames * of_all - 2 * (2 * hidden))


def test_buffers_count_as_they_are_stored(digits_run):
    costs = costs_of(digits_run)
    statistics = 2 * 4 * (1 + 2 + 4 + 4 + 8 + 8 + 8 + 8) + 8 * 8  # and int64 counts of batches
    assert costs.checkpoint_bytes == 4 * costs.parameters + statistics


def test_equal_models_are_counted_once(digits_run, monkeypatch):
    from specflow.plan import costs as module

    counted = []
    count = module._count_flops
    monkeypatch.setattr(module, "_count_flops", lambda *a: counted.append(a) or count(*a))
    decayed = digits_run.optimizer.model_copy(update={"weight_decay": 0.1})
    other = digits_run.model_copy(update={"optimizer": decayed})
    larger = digits_run.model_copy(update={"model": MlpParams(kind="mlp", hidden=(4,))})
    costs = model_costs({"a": digits_run, "b": other, "c": larger})
    assert len(counted) == 2
    assert costs["a"] == costs["b"] != costs["c"]


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (
            AdamWParams(kind="adamw", learning_rate=0.1, betas=(0.9, 0.99), weight_decay=0.0),
            2 * 4 * 110 + 2 * 4,  # two moments, and a step for each parameter
        ),
        (SgdParams(kind="sgd", learning_rate=0.1, momentum=0.9, weight_decay=0.0), 4 * 110),
        (SgdParams(kind="sgd", learning_rate=0.1, momentum=0.0, weight_decay=0.0), 0),
    ],
)
def test_optimizer_state_has_two_moments_one_or_none(optimizer, expected):
    costs = ModelCosts(sizes=(100, 10), checkpoint_bytes=440, flops_per_sample=1.0)
    assert state_bytes(optimizer, costs) == expected
