"""Pickles rebuilt without executing anything: what is no plain data is named, and kept inert.

A pickle is a program of a stack machine that imports what it names and calls it. Here its opcodes
make dicts, lists, numbers and text alone; a global is its name, never imported, and what would be
called or made with it is kept beside the name. Only functions that the caller gives are called.

Memory is a small multiple of the file: no opcode copies what is there, and none is recursive.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple

_MOST_OPCODES = 10**7  # some 300,000 tensors; a byte of a pickle can take 200 in memory
_LONGEST_KEY = 16  # entries of a tuple that is a key: hashing it takes as long each time


class Global(NamedTuple):
    """The name of a class or function."""

    module: str
    name: str

    def __str__(self) -> str:
        """Return the name with that of its module."""
        return f"{self.module}.{self.name}"


@dataclass(eq=False, repr=False, slots=True)
class Inert:
    """What a pickle would have made by a call that was not made.

    Attributes:
        kind: What it would have called.
        arguments: With which arguments.
        state: What it would then have set its attributes to.
        entries: What it would have put into it by key.
    """

    kind: Any
    arguments: Any = ()
    state: Any = None
    entries: dict[Any, Any] = field(default_factory=dict)


Calls = Mapping[Global, Callable[..., Any]]


def rebuilt(file: BinaryIO, calls: Calls, persistent: Callable[[Any], Any] | None = None) -> Any:
    """Return what a pickle holds; the file is then at its end.

    Args:
        file: Open at its beginning.
        calls: The functions that are called in place of those of these names.
        persistent: Returns what an object outside of the pickle is, by its identifier.

    Raises:
        ValueError: If it is too large; if it is damaged, any exception.
    """
    machine = _Machine(calls, persistent)
    for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if count > _MOST_OPCODES:
            raise ValueError(f"a pickle of more than {_MOST_OPCODES} opcodes")
        if opcode.name in _PUSH_ARGUMENT:
            machine.stack.append(argument)
        else:
            _OPCODES[opcode.name](machine, argument)
    return machine.stack.pop()


class _Machine:
    """The stack machine; a method is an opcode, with the argument that the file has for it."""

    def __init__(self, calls: Calls, persistent: Callable[[Any], Any] | None) -> None:
        self.stack: list[Any] = []
        self._outer: list[list[Any]] = []  # stacks below the marks
        self._memo: dict[int, Any] = {}
        self._calls, self._persistent = calls, persistent

    def mark(self, _: Any) -> None:
        self._outer.append(self.stack)
        self.stack = []

    def _marked(self) -> list[Any]:
        above, self.stack = self.stack, self._outer.pop()
        return above

    def pop_mark(self, _: Any) -> None:
        self._marked()

    def pop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._marked()

    def dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def none(self, _: Any) -> None:
        self.stack.append(None)

    def true(self, _: Any) -> None:
        self.stack.append(True)

    def false(self, _: Any) -> None:
        self.stack.append(False)

    def get(self, place: int) -> None:
        self.stack.append(self._memo[place])

    def put(self, place: int) -> None:
        self._memo[place] = self.stack[-1]

    def memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self.stack[-1]

    def empty_list(self, _: Any) -> None:
        self.stack.append([])

    def empty_dict(self, _: Any) -> None:
        self.stack.append({})

    def empty_tuple(self, _: Any) -> None:
        self.stack.append(())

    def make_list(self, _: Any) -> None:
        items = self._marked()
        self.stack.append(items)

    def make_tuple(self, _: Any) -> None:
        items = self._marked()
        self.stack.append(tuple(items))

    def tuple_1(self, _: Any) -> None:
        self.stack[-1:] = [(self.stack[-1],)]

    def tuple_2(self, _: Any) -> None:
        self.stack[-2:] = [(self.stack[-2], self.stack[-1])]

    def tuple_3(self, _: Any) -> None:
        self.stack[-3:] = [(self.stack[-3], self.stack[-2], self.stack[-1])]

    def make_dict(self, _: Any) -> None:
        items = self._marked()
        self.stack.append({})
        self._set(items)

    def append(self, _: Any) -> None:
        self._extend([self.stack.pop()])

    def appends(self, _: Any) -> None:
        self._extend(self._marked())

    def _extend(self, items: Any) -> None:
        if isinstance(self.stack[-1], list):  # what is inert has keys alone
            self.stack[-1].extend(items)

    def set_item(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def set_items(self, _: Any) -> None:
        self._set(self._marked())

    def _set(self, items: Any) -> None:
        owner = self.stack[-1]
        entries = owner.entries if isinstance(owner, Inert) else owner
        if not isinstance(entries, dict):
            raise TypeError(f"entries of a {type(owner).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            entries[checked_key(key)] = value

    def global_(self, name: str) -> None:
        module, _, name = name.partition(" ")
        self.stack.append(Global(module, name))

    def stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise TypeError("a global without a name")
        self.stack.append(Global(module, name))

    def extension(self, code: int) -> None:
        self.stack.append(Global("copyreg", f"extension {code}"))

    def reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self._call(function, arguments)

    def new_with_names(self, _: Any) -> None:
        named, arguments, function = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.stack.append(Inert(function, (arguments, named)))

    def make_instance(self, name: str) -> None:
        module, _, name = name.partition(" ")
        self._call(Global(module, name), tuple(self._marked()))

    def make_object(self, _: Any) -> None:
        function, *arguments = self._marked()
        self._call(function, tuple(arguments))

    def _call(self, function: Any, arguments: Any) -> None:
        call = self._calls.get(function) if isinstance(function, Global) else None
        self.stack.append(call(*arguments) if call else Inert(function, arguments))

    def build(self, _: Any) -> None:
        state, owner = self.stack.pop(), self.stack[-1]
        if isinstance(owner, Inert):
            owner.state = state

    def outside(self, identifier: str) -> None:
        if self._persistent is None:
            raise ValueError("an object that lies outside of the file")
        self.stack.append(self._persistent(identifier))

    def outside_of_stack(self, _: Any) -> None:
        self.outside(self.stack.pop())

    def nothing(self, _: Any) -> None:
        pass


def checked_key(key: Any) -> Any:
    """Return a key of a dict whose hash takes little time.

    Raises:
        TypeError: If it is of another kind.
    """
    if isinstance(key, tuple) and not isinstance(key, Global):
        if len(key) > _LONGEST_KEY or any(isinstance(part, tuple) for part in key):
            raise TypeError("a nested tuple as a key")
        for part in key:
            checked_key(part)
    elif isinstance(key, int) and key.bit_length() > 64:
        raise TypeError("a huge number as a key")
    return key


_PUSH_ARGUMENT = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE"),
        *("BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    )
)
_OPCODES: Mapping[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), _Machine.nothing),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.get),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), _Machine.extension),
    **dict.fromkeys(("APPENDS", "ADDITEMS"), _Machine.appends),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), _Machine.reduce),
    "NONE": _Machine.none,
    "NEWTRUE": _Machine.true,
    "NEWFALSE": _Machine.false,
    "MEMOIZE": _Machine.memoize,
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "POP_MARK": _Machine.pop_mark,
    "DUP": _Machine.dup,
    "EMPTY_LIST": _Machine.empty_list,
    "EMPTY_DICT": _Machine.empty_dict,
    "EMPTY_TUPLE": _Machine.empty_tuple,
    "EMPTY_SET": _Machine.empty_list,
    "LIST": _Machine.make_list,
    "FROZENSET": _Machine.make_tuple,
    "TUPLE": _Machine.make_tuple,
    "TUPLE1": _Machine.tuple_1,
    "TUPLE2": _Machine.tuple_2,
    "TUPLE3": _Machine.tuple_3,
    "DICT": _Machine.make_dict,
    "APPEND": _Machine.append,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "GLOBAL": _Machine.global_,
    "STACK_GLOBAL": _Machine.stack_global,
    "NEWOBJ_EX": _Machine.new_with_names,
    "INST": _Machine.make_instance,
    "OBJ": _Machine.make_object,
    "BUILD": _Machine.build,
    "PERSID": _Machine.outside,
    "BINPERSID": _Machine.outside_of_stack,
}
