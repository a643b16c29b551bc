"""Pickles are rebuilt without executing anything, whatever they would do."""

import argparse
import collections
import datetime
import io
import os
import pathlib
import pickle
import pickletools
import random
import resource
import subprocess
import sys

import pytest

from specflow.checkpoints.pickles import Global, Inert, rebuilt

PLAIN = [
    *(None, True, False, 0, 255, 65535, -1, 2**31, -(2**70), 1.5, float("inf"), "", "a", "größe"),
    *(b"", b"ab", b"x" * 300, "y" * 70_000, [], (), {}, [1], (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
    *({"a": 1}, {"a": {"b": [1, (2, {3: 4})]}}, [[], [[]]], {1: None, (1, "a"): 2, b"k": 3}),
    *(list(range(3000)), {str(n): n for n in range(3000)}),
]


def of(content, calls=None, persistent=None):
    return rebuilt(io.BytesIO(content), calls or {}, persistent)


def made_up(rng, depth=0):
    """A random value of plain kinds."""
    kind = rng.randrange(5 if depth < 4 else 2)
    several = [made_up(rng, depth + 1) for _ in range(rng.randrange(4))] if kind > 1 else []
    made = [rng.randrange(-(2**40), 2**40), str(rng.random()), several, tuple(several)]
    return [*made, {str(place): value for place, value in enumerate(several)}][kind]


def has_bytes(value):
    return isinstance(value, bytes) or (isinstance(value, dict) and any(map(has_bytes, value)))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_are_what_pickle_makes_of_them(protocol):
    rng = random.Random(protocol)
    for value in [*PLAIN, *(made_up(rng) for _ in range(200))]:
        if protocol > 2 or not has_bytes(value):  # the result of a call there
            assert of(pickle.dumps(value, protocol)) == value


def test_what_is_shared_stays_shared():
    inner = [1]
    found = of(pickle.dumps([inner, inner, {"a": inner}]))
    assert found[0] is found[1] is found[2]["a"]


def test_what_holds_itself_does():
    whole = []
    whole.append(whole)
    found = of(pickle.dumps(whole))
    assert found[0] is found


def test_objects_are_named_with_their_state_and_never_made():
    space = argparse.Namespace(a=1, path=pathlib.PurePosixPath("x"))
    found = of(pickle.dumps(space))
    assert isinstance(found, Inert)
    assert found.kind == Global("argparse", "Namespace")
    assert found.state["a"] == 1
    assert str(found.state["path"].kind) == "pathlib.PurePosixPath"


def test_entries_of_dicts_of_other_classes_are_kept():
    default = collections.defaultdict(list, {"a": 1})
    assert of(pickle.dumps(default)).entries == {"a": 1}


def test_only_functions_that_are_given_are_called():
    content = pickle.dumps([datetime.date(2020, 1, 2), collections.OrderedDict(a=1)])
    ordered = Global("collections", "OrderedDict")
    date, entries = of(content, {ordered: dict})
    assert isinstance(date, Inert)
    assert entries == {"a": 1}


class Call:
    """Pickles as the call of a function, in any of the ways that pickles have."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def executing(command):
    """Pickles each of which would run a command, in one of the ways that pickles have."""
    text = repr(f"import os; os.system({command!r})")
    argument = b"\x8c" + bytes([len(command)]) + command.encode()
    system = b"cposix\nsystem\n"
    return {
        "reduce": pickle.dumps(Call(os.system, command), 2),
        "exec": pickle.dumps(Call(exec, f"import os; os.system({command!r})")),
        "eval": pickle.dumps(Call(eval, f"__import__('os').system({command!r})")),
        "getattr": pickle.dumps(Call(getattr, Call(__import__, "os"), "system")),
        "subprocess": pickle.dumps(Call(subprocess.Popen, ["sh", "-c", command])),
        "stack global": b"\x80\x04\x8c\x05posix\x8c\x06system\x93" + argument + b"\x85R.",
        "inst": b"(" + b"S'" + command.encode() + b"'\n" + b"iposix\nsystem\n.",
        "obj": b"(" + system + argument + b"o.",
        "newobj": system + argument + b"\x85\x81.",
        "newobj_ex": b"\x80\x04" + system + argument + b"\x85}\x92.",
        "build": b"cos\npath\n}\x8c\x05posix" + system + b"sb.",
        "build of an object": pickle.dumps(Call(eval, "1"))[:-1] + b"}\x8c\x01aNsb.",
        "extension": b"\x82\x01" + argument + b"\x85R.",
        "dotted": b"\x80\x04\x8c\x02os\x8c\x0cpath.os.fork\x93)R.",
        "code": b"cbuiltins\nexec\n(V" + text[1:-1].encode() + b"\ntR.",
    }


@pytest.mark.parametrize("way", executing("true"))
def test_nothing_is_executed_or_imported(tmp_path, way, monkeypatch):
    content = executing(f"touch {tmp_path}/executed")[way]
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "unheard_of.py").write_text("open('executed', 'w')")
    of(b"\x80\x04cunheard_of\nname\n)R.")
    before = set(sys.modules)
    assert isinstance(of(content), Inert | Global)
    assert set(sys.modules) == before
    assert [path.name for path in tmp_path.iterdir()] == ["unheard_of.py"]


def test_one_of_these_pickles_runs_where_nothing_refuses_it(tmp_path):
    pickle.loads(executing(f"touch {tmp_path}/executed")["reduce"])
    assert (tmp_path / "executed").exists()


def nested(depth):
    """A key that is a tuple of the same tuple twice, and so on: hashing it would take 2^depth."""
    return b"\x80\x02}K\x01" + b"2\x86" * depth + b"Ns."


REFUSED = {
    "huge frame": b"\x80\x04\x95" + b"\xff" * 7 + b"\x7f.",
    "huge bytes": b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7fab.",
    "huge text": b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7fab.",
    "huge number": b"\x80\x02\x8b\xff\xff\xff\x7fab.",
    "number of many digits": b"I" + b"9" * 10**6 + b"\n.",
    "key that takes forever": nested(60),
    "key of many parts": b"\x80\x02}(" + b"K\x01" * 10**5 + b"tNs.",
    "key of a huge number": b"\x80\x02}\x8b"
    + (10**5).to_bytes(4, "little")
    + b"\x01" * 10**5
    + b"Ns.",
    "key that is a list": b"}]Ns.",
    "no stop": b"\x80\x02}",
    "nothing": b".",
    "memo that is not there": b"h\x07.",
    "mark that is not there": b"t.",
    "object outside": b"Pabc\n.",
    "buffer outside": b"\x80\x05\x97.",
    "items of a number": b"K\x01NNs.",
    "unknown": b"\xff.",
}


@pytest.mark.parametrize("case", REFUSED)
def test_hostile_pickle_is_an_error_and_takes_no_memory(case):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Exception):  # noqa: B017, PT011 (of any kind: its reader names the file)
        of(REFUSED[case])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02" + b"(" * 10**5 + b"t" * 10**5 + b".",  # deep
        b"\x80\x02]" + b"]" * 10**5 + b"a" * 10**5 + b".",
        b"\x80\x02}" + b"q\x00h\x00h\x00\x86" * 10**5 + b".",  # shared, 2^100000 if it were copied
        b"\x80\x02r\xff\xff\xff\x7f"[:2] + b"Nr\xff\xff\xff\x7f.",  # a place of the memo
    ],
)
def test_depth_sharing_and_places_of_the_memo_take_no_memory(content):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    of(content)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_pickle_of_too_many_opcodes_is_refused(monkeypatch):
    monkeypatch.setattr("specflow.checkpoints.pickles._MOST_OPCODES", 10)
    assert of(b"N" * 9 + b".") is None
    with pytest.raises(ValueError, match="more than 10 opcodes"):
        of(b"N" * 12 + b".")


def test_every_opcode_of_pickle_is_known_or_refused():
    from specflow.checkpoints import pickles

    known = {*pickles._OPCODES, *pickles._PUSH_ARGUMENT}
    every = {opcode.name for opcode in pickletools.opcodes}
    assert every - known == {"NEXT_BUFFER", "READONLY_BUFFER"}
    assert known <= every
