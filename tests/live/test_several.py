"""Networks in wrappers, of computed weights, and of which several processes have parts."""

import os
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from tests.live.trainings import is_measured, network
from tests.measure.walks import entries
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

import specflow
from specflow.live.buffers import Buffers
from specflow.live.kinds import Kind
from specflow.live.network import Network
from specflow.live.settings import WatchParams
from specflow.live.transfers import Transfer

PROGRAM = """
import sys
import time
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.utils.parametrizations import weight_norm
from tests.live.trainings import network
import specflow
from specflow.errors import SpecflowError
place, rank, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
dist.init_process_group("gloo", init_method=f"file://{place}", rank=rank, world_size=2)
mesh = init_device_mesh("cpu", (2,))
model = network()
weight_norm(model[2])
for layer in (model[0], model[2]):
    fully_shard(layer, mesh=mesh)
try:
    specflow.watch(model, place)
except SpecflowError as error:
    print(error)
with specflow.watch(model, path, every=1, budget=1) as watch:
    for step in range(3):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(2)
        time.sleep(0.3)
        watch.step(step)
replicas = torch.nn.parallel.DistributedDataParallel(network())
with specflow.watch(replicas, path + ".replicas", every=1, budget=1) as watch:
    watch.step(rank)
dist.destroy_process_group()
"""


def copied(model, **params):
    """Return what is copied of a network, by name."""
    found = Network(model, WatchParams(**params))
    buffers = found.buffers()
    with buffers.file:
        absent = found.copy_to(buffers, 0, Kind.WEIGHTS, Transfer())
        own = [name for name in found.infos if Kind.WEIGHTS.of(name) not in absent]
        return {name: buffers.place(0, Kind.WEIGHTS.of(name)).clone() for name in own}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch itself, as it compiles
def test_wrappers_change_no_name_and_no_weight():
    model = network()
    alone = copied(model)
    assert list(alone) == ["0.weight", "2.weight", "4.weight"]
    for wrapped in (nn.DataParallel(model), torch.compile(model)):
        found = copied(wrapped)
        assert list(found) == list(alone)
        for name, tensor in alone.items():
            assert torch.equal(found[name], tensor)


def test_computed_weights_are_those_that_layers_apply():
    model = weight_norm(nn.Linear(6, 4))
    found = copied(nn.Sequential(model))["0.weight"]
    assert torch.allclose(found.float(), model.weight, atol=1e-6)


def test_patterns_choose_and_frozen_and_tied_weights_are_as_others():
    model = network()
    assert list(copied(model, match=("2*", "4"))) == ["2.weight", "4.weight"]
    assert list(copied(model, exclude=("2*",))) == ["0.weight", "4.weight"]
    model[0].weight.requires_grad_(False)
    assert list(copied(model)) == ["0.weight", "2.weight", "4.weight"]
    tied = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 5))
    tied[2].weight = tied[0].weight
    assert list(copied(tied)) == ["0.weight"]


def test_weight_that_changes_its_shape_or_goes_is_left_out():
    model = network()
    found = Network(model, WatchParams())
    buffers, gone = found.buffers(), {"weights 2.weight"}
    with buffers.file:
        model[2] = nn.Linear(24, 21)
        assert found.copy_to(buffers, 0, Kind.WEIGHTS, Transfer()) == gone
        model[2] = nn.Identity()
        assert found.copy_to(buffers, 0, Kind.WEIGHTS, Transfer()) == gone


def test_buffers_of_two_processes_are_the_same_memory():
    infos = Network(network(), WatchParams()).infos
    own = Buffers(infos, 3)
    with own.file:
        others = Buffers(infos, 3, own.file)
        for slot in range(3):
            for number, name in enumerate(infos):
                own.place(slot, name).fill_(10 * slot + number)
        for slot in range(3):
            for number, name in enumerate(infos):
                assert (others.place(slot, name) == 10 * slot + number).all()
                assert others.place(slot, name).data_ptr() % 64 == 0


def test_update_of_a_weight_that_was_not_there_the_step_before_is_none(tmp_path):
    model = network()
    with specflow.watch(
        model, tmp_path / "run.h5", every=2, budget=1, updates=True, match=["2*"]
    ) as watch:
        layer = model[2]
        for step in range(5):
            model[2] = nn.Identity() if step == 3 else layer
            with torch.no_grad():
                layer.weight.mul_(1.1)
            watch.step(step)
            time.sleep(0.3)
    (entry,) = (one for one in entries(tmp_path / "run.updates.h5").values() if "tensor" in one)
    assert is_measured(tmp_path / "run.updates.h5", [2, 4])  # of the first step there is none
    assert np.isfinite(entry["spectral_norm"]).tolist() == [True, False]


def test_updates_that_are_not_known_are_said_once(tmp_path):
    watch = specflow.watch(network(), tmp_path / "run.h5", every=10, budget=1, updates=True)
    watch.step(0)
    with pytest.warns(UserWarning, match="step 10: what it changed is not known, as the"):
        watch.step(10)
    watch.step(20)
    watch.close()
    assert is_measured(tmp_path / "run.h5", [0, 10, 20])
    assert not (tmp_path / "run.updates.h5").exists()


def test_bfloat16_and_empty_tensors_have_places():
    model = nn.Sequential(nn.Linear(4, 4, dtype=torch.bfloat16))
    assert torch.equal(copied(model)["0.weight"], model[0].weight)


def test_parts_of_several_processes_are_gathered_and_the_first_measures(tmp_path):
    path = tmp_path / "run.h5"
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "store")]
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": "src:."}
    running = [
        subprocess.Popen(
            [*command, str(rank), str(path)],
            cwd=Path.cwd(),
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for process in running:  # both are told that a file is there, of which the first alone knows
        said, _ = process.communicate(timeout=120)
        assert said.startswith(f"{tmp_path / 'store'}: is there, and ")
        assert process.returncode == 0
    with h5py.File(path) as file:
        assert file["step"][:].tolist() == [0, 1, 2]
    for name, entry in entries(path).items():
        if "tensor" in entry:
            exact = network().state_dict()[entry["tensor"]].double().norm().item()
            norms = entry["frobenius_norm"] / exact
            assert abs(norms - [2, 4, 8]).max() < 1e-6, name
    with h5py.File(f"{path}.replicas") as file:  # DDP: the first alone, names without its own
        assert file["step"][:].tolist() == [0]
        assert set(file["matrices"]) == {"0", "2", "4"}


def test_process_that_is_not_the_first_does_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr("specflow.live.watch.rank", lambda: 1)
    with specflow.watch(network(), tmp_path / "run.h5", every=1) as watch:
        watch.step(0)
    assert list(tmp_path.iterdir()) == []
