import pytest
import torch
from torch import nn

from specflow.training.optimizers import AdamWParams, SgdParams, export_state, import_state

PARAMS = [
    AdamWParams(kind="adamw", learning_rate=0.01, betas=(0.9, 0.98), weight_decay=0.1),
    SgdParams(kind="sgd", learning_rate=0.01, momentum=0.9, weight_decay=0.1),
]


def take_steps(model, optimizer, count):
    inputs = torch.linspace(-1, 1, 12).view(4, 3)
    for _ in range(count):
        optimizer.zero_grad()
        model(inputs).square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize("params", PARAMS, ids=lambda params: params.kind)
def test_imported_state_continues_to_the_same_weights(params):
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = params.build(model)
    take_steps(model, optimizer, 3)
    copy = nn.Linear(3, 2)
    copy.load_state_dict(model.state_dict())
    fresh = nn.Linear(3, 2)
    fresh.load_state_dict(model.state_dict())
    copied = params.build(copy)
    import_state(copied, copy, export_state(optimizer, model))
    take_steps(model, optimizer, 2)
    take_steps(copy, copied, 2)
    take_steps(fresh, params.build(fresh), 2)
    assert copy.weight.equal(model.weight)
    assert not fresh.weight.equal(model.weight)


@pytest.mark.parametrize("params", PARAMS, ids=lambda params: params.kind)
def test_state_before_the_first_step_is_empty(params):
    model = nn.Linear(3, 2)
    assert export_state(params.build(model), model) == {}


def test_optimizer_follows_the_formula_of_adamw():
    params, model = PARAMS[0], nn.Linear(1, 1, bias=False)
    weight = model.weight.item()
    take_one = params.build(model)
    model.weight.grad = torch.full((1, 1), 0.5)
    take_one.step()
    # The first Adam step has size one: the bias-corrected moments are g and g^2.
    expected = weight * (1 - 0.01 * 0.1) - 0.01
    assert model.weight.item() == pytest.approx(expected, rel=1e-6)
