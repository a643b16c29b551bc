import pytest
import torch
from torch import nn

from specflow.interventions.batch_norm import reestimate_batch_norm


def _model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 2))


def _data(samples: int = 64) -> torch.Tensor:
    return torch.randn(samples, 4, generator=torch.Generator().manual_seed(1)) * 3 + 1


def test_statistics_become_those_of_the_data():
    model, data = _model(), _data()
    reestimate_batch_norm(model, lambda: model(data))
    hidden = model[0](data)
    torch.testing.assert_close(model[1].running_mean, hidden.mean(0))
    torch.testing.assert_close(model[1].running_var, hidden.var(0))


def test_several_batches_are_averaged():
    model, data = _model(), _data()
    reestimate_batch_norm(model, lambda: [model(batch) for batch in data.split(16)])
    batches = [model[0](batch) for batch in data.split(16)]
    variances = torch.stack([batch.var(0) for batch in batches]).mean(0)
    torch.testing.assert_close(model[1].running_mean, model[0](data).mean(0))
    torch.testing.assert_close(model[1].running_var, variances)


def test_earlier_statistics_are_forgotten():
    model, data = _model(), _data()
    reestimate_batch_norm(model, lambda: model(data))
    expected = model[1].running_mean.clone()
    model[1].running_mean.fill_(100)
    reestimate_batch_norm(model, lambda: model(data))
    assert torch.equal(model[1].running_mean, expected)


def test_network_that_was_rescaled_by_hand_is_as_before():
    """Negative control: without the re-estimation the outputs differ."""
    model, data = _model().eval(), _data()
    reestimate_batch_norm(model, lambda: model(data))
    before = model(data)
    with torch.no_grad():
        model[0].weight.mul_(7)
        model[0].bias.mul_(7)
    assert (model(data) - before).abs().max() > 0.1
    reestimate_batch_norm(model, lambda: model(data))
    torch.testing.assert_close(model(data), before, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("training", [True, False])
def test_nothing_else_changes(training):
    model, data = _model().train(training), _data()
    model[3].train(not training)
    model[1].momentum = 0.3
    before = {name: value.clone() for name, value in model.named_parameters()}
    outputs = []
    reestimate_batch_norm(model, lambda: outputs.append(model(data)))
    assert [module.training for module in model] == [training] * 3 + [not training]
    assert model.training is training
    assert model[1].momentum == 0.3
    assert all(torch.equal(value, before[name]) for name, value in model.named_parameters())
    assert not outputs[0].requires_grad


def test_dropout_is_off_meanwhile():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(4)).train()
    reestimate_batch_norm(model, lambda: model(_data()))
    torch.testing.assert_close(model[1].running_mean, _data().mean(0))


def test_modes_return_after_an_error():
    model = _model().train()
    with pytest.raises(RuntimeError):
        reestimate_batch_norm(model, lambda: model(torch.ones(2, 3)))
    assert model.training
    assert model[2].training
    assert model[1].momentum == 0.1


@pytest.mark.parametrize(
    "model",
    [nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), nn.BatchNorm1d(3, track_running_stats=False)],
    ids=["none", "keeps no statistics"],
)
def test_model_without_statistics_is_left_alone(model):
    reestimate_batch_norm(model, lambda: pytest.fail("called"))


def test_batch_norm_is_found_at_any_depth():
    model = nn.Sequential(nn.Sequential(nn.BatchNorm1d(4)))
    reestimate_batch_norm(model, lambda: model(_data()))
    torch.testing.assert_close(model[0][0].running_mean, _data().mean(0))


def test_data_that_reaches_no_layer_is_refused():
    with pytest.raises(ValueError, match=r"no batch through \['1'\]"):
        reestimate_batch_norm(_model(), lambda: None)
