"""An analysis makes Python's garbage collector rare, and leaves it as it was."""

import gc
from concurrent.futures import ThreadPoolExecutor
from queue import Queue
from threading import Event

import pytest

import specflow
from specflow.errors import SpecflowError


def test_the_collector_is_rare_here_and_as_before_after_threads_in_any_order(monkeypatch):
    before, inside, leave = gc.get_threshold(), Queue(), {n: Event() for n in ("here", "a", "b")}

    def wait(source, *_, **places):
        inside.put(gc.get_threshold()[0])
        assert leave[source].wait(60)
        raise SpecflowError("ended")

    monkeypatch.setattr("specflow.analysis.checkpoints._run", wait)
    with ThreadPoolExecutor(2) as pool:
        ends = {}
        for name in ("a", "b"):
            ends[name] = pool.submit(specflow.analyze, name)
            assert inside.get(timeout=60) == before[0]
        for name, end in ends.items():  # the first that began ends first
            leave[name].set()
            assert isinstance(end.exception(60), SpecflowError)
    assert gc.get_threshold() == before
    leave["here"].set()
    with pytest.raises(SpecflowError, match="ended"):
        specflow.analyze("here")
    assert inside.get() == 10**5
    assert gc.get_threshold() == before
