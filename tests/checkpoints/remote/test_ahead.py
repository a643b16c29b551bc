"""What is received before it is asked for: few requests, and next to no byte in vain."""

from random import Random

import pytest
import torch
from safetensors.torch import save

from specflow.checkpoints.base import expect
from specflow.checkpoints.remote.ahead import ReadAhead
from specflow.checkpoints.remote.files import RemoteFile, State
from specflow.checkpoints.remote.http import AbsentError
from specflow.checkpoints.remote.places import resource_of
from specflow.checkpoints.remote.step import RemoteSafetensors, RemoteStep


@pytest.fixture
def web(serve):
    return serve()


def step_at(web, content):
    web.files["/run/model.safetensors"] = content
    resource = resource_of(f"{web.url}/run/model.safetensors")
    return RemoteStep(resource.place, lambda: resource, ReadAhead())


def file_at(web, weights):
    web.files["/run/model.safetensors"] = save(weights)
    resource = resource_of(f"{web.url}/run/model.safetensors")
    return RemoteSafetensors(RemoteFile(resource), ReadAhead())


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_read_at_most_2_percent_more_is_sent(web, seed):
    generator, rng = torch.Generator().manual_seed(seed), Random(seed)
    sizes = {f"w{n}": rng.choice([1, 30, 1000, 40_000]) for n in range(40)}
    weights = {name: torch.randn(size, generator=generator) for name, size in sizes.items()}
    file = file_at(web, weights)
    header, read = web.sent, 0
    in_order = sorted(weights)[: rng.randint(1, 40)]
    for name in rng.choices([*weights], k=60) if seed % 2 else in_order:
        assert torch.equal(file.read(name), weights[name])
        read += weights[name].nbytes
        assert web.sent - header <= 1.02 * read
        assert sum(one.nbytes for one in file._waiting.values()) <= 0.02 * read


def test_small_tensors_in_a_row_take_few_requests(web):
    weights = {f"w{n:05d}": torch.full((10, 10), float(n)) for n in range(3000)}
    file = file_at(web, weights)
    assert all(torch.equal(file.read(name), weights[name]) for name in weights)
    assert web.sent == len(web.files["/run/model.safetensors"])
    assert len(web.asked) < 350  # log(3000 / 50) / log(1.02) + 50 singly, and a few


def test_what_waits_is_bounded(web, monkeypatch):
    monkeypatch.setattr("specflow.checkpoints.remote.ahead.MOST", 1000)
    weights = {f"w{n:05d}": torch.full((10, 10), float(n)) for n in range(1000)}
    file = file_at(web, weights)
    for name in weights:
        assert torch.equal(file.read(name), weights[name])
        assert len(file._waiting) <= 2


def test_tensors_that_will_be_read_come_in_few_requests_of_bounded_size(web, monkeypatch):
    """By whatever wrappers they are named, and LoRA's factors for what they make."""
    monkeypatch.setattr("specflow.checkpoints.remote.step._TOGETHER", 2**15)
    weights = {f"module.h.{n}.weight": torch.full((10, 10), float(n)) for n in range(900)}
    factors = {"A": torch.ones(2, 8), "B": torch.ones(8, 2)}
    weights |= {f"module.q.lora_{end}.weight": factor for end, factor in factors.items()}
    content = save(weights)
    with step_at(web, content).open() as tensors:
        before = len(web.asked)
        expect(tensors, tensors.infos)
        assert all((tensors.read(f"h.{n}.weight") == n).all() for n in range(900))
        assert (tensors.read("q.lora") == 2).all()
    spans = [last - first + 1 for _, (first, last), _ in web.asked[before:]]
    assert max(spans) <= 2**15
    assert len(spans) <= 2 * len(content) / 2**15
    assert web.sent <= 1.02 * len(content)


@pytest.mark.parametrize("seed", range(6))
def test_of_tensors_that_will_be_read_no_others_come_along(web, seed):
    """In any order, and again; what lies between them is at most 2 percent."""
    rng = Random(seed)
    sizes = {f"w{n:02d}": rng.choice([1, 30, 1000, 9000]) for n in range(60)}
    weights = {name: torch.randn(size) for name, size in sizes.items()}
    file = file_at(web, weights)
    header, read = web.sent, 0
    for _ in range(2):
        chosen = rng.sample(sorted(weights), 30)
        file.expect(chosen)
        for name in chosen:
            assert torch.equal(file.read(name), weights[name])
            read += weights[name].nbytes
    assert web.sent - header <= 1.02 * read


class InMemory:
    """Files as a server has them, of which thousands of ranges are read; `sent` counts bytes.

    That a server sends what is asked for and no more is shown above, and of `RemoteFile`.
    """

    url = "http://memory"

    def __init__(self):
        self.files, self.sent = {}, 0

    def fetch(self, resource, most):
        raise AbsentError(resource.place)

    def file(self, resource, size):
        return InMemoryFile(self, self.files[resource.url.removeprefix(self.url)])


class InMemoryFile(RemoteFile):
    def __init__(self, memory, content):
        self._memory, self._content = memory, content
        self._state = State(len(content), None, None)

    def read_into(self, start, target):
        target[:] = self._content[start : start + len(target)]
        self._memory.sent += len(target)


@pytest.fixture
def memory(monkeypatch):
    made = InMemory()
    monkeypatch.setattr("specflow.checkpoints.remote.step.RemoteFile", made.file)
    monkeypatch.setattr("specflow.checkpoints.remote.step.fetch", made.fetch)
    return made


def steps_at(web, rng, ahead, count=8):
    """Steps of one training, with tensors of many sizes."""
    sizes = {f"w{n:02d}": rng.choice([1, 30, 1000, 9000]) for n in range(60)}
    for number in range(count):
        weights = {name: torch.full((size,), float(number)) for name, size in sizes.items()}
        web.files[f"/run/{number}.safetensors"] = save(weights)
        resource = resource_of(f"{web.url}/run/{number}.safetensors")
        yield RemoteStep(resource.place, lambda resource=resource: resource, ahead)


def waiting_of(steps):
    """Bytes of all that was received and not asked for."""
    held = (data for step in steps for file in step._files for data in file._waiting.values())
    return sum(data.nbytes for data in held)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("most", [20_000, 2**24])
def test_over_passes_and_steps_2_percent_more_is_sent_and_what_waits_is_bounded(
    memory, monkeypatch, most, seed
):
    """Tensors are announced and read in any order, others unannounced, two steps side by side."""
    monkeypatch.setattr("specflow.checkpoints.remote.ahead.MOST", most)
    rng, ahead = Random(seed), ReadAhead()
    steps, headers, read = list(steps_at(memory, rng, ahead)), 0, 0
    for place in rng.choices(range(1, len(steps)), k=20):
        before = memory.sent
        with steps[place - 1].open() as first, steps[place].open() as second:
            headers += memory.sent - before
            for tensors, number in rng.choices([(first, place - 1), (second, place)], k=4):
                names = list(tensors.infos)[rng.randint(0, 30) :]
                chosen = rng.sample(names, 25) if rng.random() < 0.5 else names
                expect(tensors, chosen)
                for name in (*chosen, *rng.sample(names, rng.randint(0, 5))):
                    weight = tensors.read(name)
                    assert (weight == number).all()
                    read += weight.nbytes
                    assert waiting_of(steps) == ahead._waiting <= most
                assert memory.sent - headers <= 1.02 * read
        assert waiting_of(steps) == 0


def test_what_is_announced_and_not_read_is_bounded_and_gone_with_the_step(web, monkeypatch):
    """What an unfinished step leaves takes nothing from the next."""
    monkeypatch.setattr("specflow.checkpoints.remote.ahead.MOST", 4000)
    monkeypatch.setattr("specflow.checkpoints.remote.step._TOGETHER", 2000)
    ahead = ReadAhead()
    weights = {f"w{n:02d}": torch.full((10, 10), float(n)) for n in range(40)}
    for number in range(3):
        web.files[f"/run/{number}.safetensors"] = save(weights)
        resource = resource_of(f"{web.url}/run/{number}.safetensors")
        step = RemoteStep(resource.place, lambda resource=resource: resource, ahead)
        with step.open() as tensors:
            expect(tensors, tensors.infos)
            for name in [*weights][::5]:
                tensors.read(name)
                assert waiting_of([step]) <= 4000
            assert waiting_of([step]) == 4000  # one step has as much as the other
        assert waiting_of([step]) == 0
