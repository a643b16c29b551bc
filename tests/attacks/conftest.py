from collections.abc import Callable, Iterator
from random import Random

import pytest

Attacks = Callable[[int], Iterator[Random]]


@pytest.fixture
def attacks(request: pytest.FixtureRequest) -> Attacks:
    """A function that returns so many sources of random attacks, or as often as many as asked for.

    An error shows the text that its source is made of, which makes the same attack again.
    """
    seed, times = map(request.config.getoption, ("--attack-seed", "--attack-times"))

    def sources(count: int) -> Iterator[Random]:
        for number in range(count * times):
            text = f"{request.node.name} {seed} {number}"
            try:
                yield Random(text)
            except GeneratorExit:
                print("attack", repr(text))
                raise

    return sources
