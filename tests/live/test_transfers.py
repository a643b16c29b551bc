"""Copies out of the memory of a GPU: the same bits, while the training goes on."""

import pytest
import torch
from tests.live.trainings import STEPS, is_measured, network, train
from tests.measure.walks import entries

import specflow
from specflow.live.kinds import Kind
from specflow.live.network import Network
from specflow.live.settings import WatchParams
from specflow.live.transfers import Transfer, numbers_in, pin, unpin


def test_copies_of_the_cpu_are_done_at_once():
    transfer, place, source = Transfer(), torch.zeros(3), torch.arange(3.0)
    transfer.copy(place, source)
    source.zero_()
    transfer.end()
    assert transfer.is_done
    assert transfer.wait() == 0
    assert place.tolist() == [0, 1, 2]


@pytest.mark.cuda
def test_weights_that_change_at_once_are_copied_as_they_were():
    model = network().cuda()
    found = Network(model, WatchParams())
    buffers = found.buffers()
    assert pin(buffers.memory)
    with buffers.file, torch.no_grad():
        assert buffers.place(0, Kind.WEIGHTS.of("0.weight")).is_pinned()
        before = {name: one.detach().cpu().clone() for name, one in model.state_dict().items()}
        transfer = Transfer()
        found.copy_to(buffers, 0, Kind.WEIGHTS, transfer)
        for parameter in model.parameters():
            parameter.fill_(7.0)
        transfer.end()
        assert transfer.wait() >= 0
        for name in found.infos:
            assert torch.equal(buffers.place(0, Kind.WEIGHTS.of(name)), before[name])
    unpin(buffers.memory)


@pytest.mark.cuda
def test_training_on_a_gpu_is_the_same_bits_and_its_file_that_of_its_weights(tmp_path):
    path, model = tmp_path / "run.h5", network().cuda()
    with specflow.watch(model, path, every=8, leading=4, updates=True, budget=1) as watch:

        def step(number, **scalars):
            while not watch._beside.free:
                watch._collect()
            watch.step(number, **scalars)

        states = train(model, step)
    alone = train(network().cuda(), lambda step, loss: None)
    for step, state in alone.items():
        for name, tensor in state.items():
            assert torch.equal(states[step][name], tensor)
    due = [*range(0, STEPS, 8)]
    assert is_measured(path, due)
    assert is_measured(tmp_path / "run.leading.h5", [*range(0, STEPS, 4)])
    assert is_measured(tmp_path / "run.updates.h5", due[1:])
    updates = entries(tmp_path / "run.updates.h5")
    for name, entry in entries(path).items():
        for place, step in enumerate(due if "tensor" in entry else ()):
            weight = states[step][entry["tensor"]].double()
            exact = torch.linalg.svdvals(weight).cpu().numpy()
            assert abs(entry["singular_values"][place] - exact).max() <= 1e-6 * exact[0], name
            if step:
                change = weight - states[step - 1][entry["tensor"]].double()
                exact = torch.linalg.svdvals(change).cpu().numpy()
                found = updates[name]["singular_values"][place - 1]
                assert abs(found - exact).max() <= 1e-5 * exact[0], name


@pytest.mark.cuda
def test_without_room_on_the_gpu_or_pinned_memory_copies_are_the_same(monkeypatch):
    source = torch.randn(1000, device="cuda")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 0))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 0)
    transfer, place = Transfer(), torch.zeros(1000)
    transfer.copy(place, source)
    transfer.end()
    assert transfer.wait() >= 0
    assert torch.equal(place, source.cpu())
    assert pin(place)
    assert not pin(place)  # it is already
    assert torch.zeros(1, device="cuda").item() == 0  # and nothing is left of that
    unpin(place)


@pytest.mark.cuda
def test_numbers_on_a_gpu_are_waited_for_later():
    transfer, loss = Transfer(), torch.ones((), device="cuda")
    found, _ = numbers_in({"loss": loss}, transfer)
    loss.zero_()
    transfer.end()
    transfer.wait()
    assert found["loss"].item() == 1
