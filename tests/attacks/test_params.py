"""Faulty params.yaml: accepted and resolved, or refused in words, in bounded time and memory."""

import copy
import math

from ruamel.yaml import YAML
from tests.attacks.attempts import attempt
from tests.attacks.damage import damaged
from tests.clones import TINY

from specflow.config.params import load_params
from specflow.config.resolved import resolved

NESTED = [[[[[[[[["deep"]]]]]]]]]
VALUES = (
    *(None, True, False, 0, 1, -1, 2**31, 10**6, 10**18, -(10**30), 0.5, -0.0, 1e-300, 1e308),
    *(math.nan, math.inf, -math.inf, "", "a", "../../x", "x" * 10**5, "\x1b[2J\n", "0.5", "null"),
    *([], {}, [None], [0] * 5000, NESTED, {"kind": "none"}, {"a": {"a": 1}}, [1, "1", 1.0]),
)


def paths_in(value, path=()):
    """All keys and indices of a nested value."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, entry in entries:
        yield (*path, key)
        if isinstance(entry, dict | list):
            yield from paths_in(entry, (*path, key))


def put(data, rng, value):
    *parents, key = rng.choice(list(paths_in(data)))
    for parent in parents:
        data = data[parent]
    if value is ...:
        del data[key]
    elif isinstance(data, dict) and rng.random() < 0.2:
        data[rng.choice([f"{key}s", key[:-1], "", "\x00", "é" * 3000])] = value
    else:
        data[key] = value


def test_no_slip_of_params_ends_in_anything_but_words(tmp_path, attacks):
    whole, path = YAML(typ="safe").load(TINY), tmp_path / "params.yaml"
    assert resolved(load_params(TINY))  # it is not what is imported that takes long
    refused = 0
    for rng in attacks(40):
        data = copy.deepcopy(whole)
        for _ in range(rng.choice([1, 1, 2, 5])):
            put(data, rng, copy.deepcopy(rng.choice([*VALUES, ..., ...])))
        with path.open("w") as file:
            YAML(typ="safe").dump(data, file)
        refused += is_refused(path)
    assert refused > 10


def test_no_damaged_file_of_params_ends_in_anything_but_words(tmp_path, attacks):
    path = tmp_path / "params.yaml"
    assert resolved(load_params(TINY))
    for rng in attacks(10):
        path.write_bytes(damaged(TINY.read_bytes(), rng))
        is_refused(path)


def is_refused(path):
    _, error = attempt(lambda: resolved(load_params(path)))
    if error is None:
        return False
    assert not isinstance(error.__cause__, RecursionError | MemoryError)
    lines = str(error).splitlines()
    assert "params.yaml" in lines[0]
    assert len(lines) < 60
    assert max(map(len, lines)) < 1000
    return True
