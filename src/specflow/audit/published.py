"""What the hashes that a hub publishes of files tell of steps; no weight is read."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from specflow.audit.findings import WHOLE_STEP, Audit, Flag, FlagKind
from specflow.checkpoints.files import FileCheckpoints
from specflow.checkpoints.folders import INDEX_SUFFIX, holds_weights
from specflow.checkpoints.remote.step import Published
from specflow.errors import SpecflowError, some_of
from specflow.wiring.names import in_natural_order

_SHARD = re.compile(r"(.*-)([0-9]+)(-of-)([0-9]+)(\.[a-z]+)")

_Hashes = Sequence[Mapping[str, str]]  # of the files of every step


def audit_published(checkpoints: FileCheckpoints) -> Audit:
    """Return what published hashes say of the steps that files are claimed to be from.

    A step is flagged if it lacks a file of weights that most steps have, or a shard that the names
    of others count; if all its weights are another step's, bit by bit; or if a file is another
    step's, though it differs at a step between. Where the last step is among those that are
    equal, it is believed, since what is overwritten is mostly overwritten by the end of the
    training. A file that is equal in all steps is frozen; one that is equal in some steps that
    follow each other is noted.

    Raises:
        SpecflowError: If a step is on no hub, or has no weights.
    """
    steps = [step.number for step in checkpoints.steps]
    hashes = [_weights(checkpoints, index) for index in range(len(steps))]
    same = _groups([tuple(sorted(own.items())) for own in hashes])
    flags = [*_missing(steps, hashes), *_identical(steps, same), *_shared(steps, hashes, same)]
    return Audit(
        steps=tuple(steps),
        flags=tuple(sorted(flags, key=lambda flag: flag.step)),
        tensors=0,
        frozen=tuple(_frozen(hashes)),
        skipped={},
        analysed=(),
        notes=(
            *_kept(steps, hashes, same),
            *_notes(hashes),
            "only the hashes of files were compared: no weight was read",
        ),
        changes={},
    )


def _weights(checkpoints: FileCheckpoints, index: int) -> Mapping[str, str]:
    """Return the hash of every file of weights of a step, by its path.

    Raises:
        SpecflowError: If none is published.
    """
    published, place = checkpoints.published(index), checkpoints.steps[index].place
    if published is None:
        expected = "expected revisions on a hub, as in hf://org/name@step*"
        raise SpecflowError(f"{place}: its hashes are published by no hub; {expected}")
    found = {file.path: file.content for file in published.values() if _holds_weights(file)}
    if not found:
        names = some_of(in_natural_order(file.path for file in published.values()))
        raise SpecflowError(f"{place}: has no weights; it has {names or 'no files'}")
    return found


def _holds_weights(file: Published) -> bool:
    name = file.path.rpartition("/")[2]
    return holds_weights(name) and not name.endswith(INDEX_SUFFIX)


def _missing(steps: Sequence[int], hashes: _Hashes) -> Iterator[Flag]:
    counts = Counter(chain.from_iterable(hashes))
    usual = {name for name, count in counts.items() if 2 * count > len(steps)}
    for step, own in zip(steps, hashes, strict=True):
        counted = _shards_counted(own)
        for name in in_natural_order((usual | counted) - own.keys()):
            why = (
                "most steps have it" if name in usual else "the names of its other shards count it"
            )
            yield _flag(step, name, "missing", f"no such file here; {why}")


def _shards_counted(names: Mapping[str, str]) -> set[str]:
    """Return the shards that the names of those that are there count, these included."""
    found = set()
    for match in filter(None, map(_SHARD.fullmatch, names)):
        start, number, of, total, suffix = match.groups()
        if int(total) <= 100_000:
            width = len(number)
            every = range(1, int(total) + 1)
            found |= {f"{start}{one:0{width}}{of}{total}{suffix}" for one in every}
    return found


def _identical(steps: Sequence[int], same: Sequence[Sequence[int]]) -> Iterator[Flag]:
    for group in same:
        for place, others in _not_believed(group, len(steps) - 1):
            evidence = f"every file of weights is that of {_listed(steps, others)}, by its hash"
            yield _flag(steps[place], WHOLE_STEP, "identical", evidence)


def _shared(steps: Sequence[int], hashes: _Hashes, same: Sequence[Sequence[int]]) -> Iterator[Flag]:
    """Yield the flags of files that are another step's, where not all files are that step's."""
    whole = {place: set(group) for group in same for place in group}
    for name in in_natural_order(set(chain.from_iterable(hashes))):
        own = [place for place, held in enumerate(hashes) if name in held]
        groups = _groups([hashes[place][name] for place in own])
        for group in ([own[place] for place in places] for places in groups):
            if _in_a_row(group, own) or set(group) <= whole.get(group[0], set()):
                continue  # it did not change in between, or all of the step is told of
            for place, others in _not_believed(group, len(steps) - 1):
                content = hashes[place][name][:12]
                differ = [other for other in own if other not in group]
                nearest = min(differ, key=lambda other: abs(other - place))
                evidence = (
                    f"its hash {content}... is that of {_listed(steps, others)}, and not that of "
                    f"step {steps[nearest]}"
                )
                yield _flag(steps[place], name, "of_another_step", evidence)


def _in_a_row(group: Sequence[int], every: Sequence[int]) -> bool:
    """Return whether no other of the steps that have a file stands between those of a group."""
    return len(group) == every.index(group[-1]) - every.index(group[0]) + 1


def _groups(contents: Sequence[object]) -> list[list[int]]:
    """Return the places of those that are equal, two or more each."""
    found: dict[object, list[int]] = {}
    for place, content in enumerate(contents):
        found.setdefault(content, []).append(place)
    return [group for group in found.values() if len(group) > 1]


def _not_believed(group: Sequence[int], last: int) -> Iterator[tuple[int, list[int]]]:
    """Yield the steps that are flagged of those that are equal, each with the others."""
    for place in group:
        if place != last:
            yield place, [other for other in group if other != place]


def _frozen(hashes: _Hashes) -> Sequence[str]:
    names = in_natural_order(set(chain.from_iterable(hashes)))
    same = [name for name in names if len({own.get(name) for own in hashes}) == 1]
    return same if len(hashes) > 1 and len(same) < len(names) else ()


def _kept(steps: Sequence[int], hashes: _Hashes, same: Sequence[Sequence[int]]) -> Iterator[str]:
    """Yield notes on files that do not change for a while, where other files do."""
    whole = {tuple(group) for group in same}
    for name in in_natural_order(set(chain.from_iterable(hashes))):
        own = [place for place, held in enumerate(hashes) if name in held]
        for places in _groups([hashes[place][name] for place in own]):
            group = [own[place] for place in places]
            if _in_a_row(group, own) and len(group) < len(own) and tuple(group) not in whole:
                yield f"the same file {name} at {_listed(steps, group)}, which follow each other"


def _notes(hashes: _Hashes) -> Iterator[str]:
    names = in_natural_order(set(chain.from_iterable(hashes)))
    if frozen := _frozen(hashes):
        yield f"the same file at every step (frozen): {some_of(frozen)}"
    counts = Counter(chain.from_iterable(hashes))
    rare = [name for name in names if 2 * counts[name] <= len(hashes)]
    if rare:
        yield f"in half of the steps or fewer: {some_of(rare)}"


def _listed(steps: Sequence[int], places: Sequence[int]) -> str:
    word = "step" if len(places) == 1 else "steps"
    return f"{word} {some_of(str(steps[place]) for place in places)}"


def _flag(step: int, name: str, flag: FlagKind, evidence: str) -> Flag:
    return Flag(step=step, tensor=name, flag=flag, evidence=evidence)
