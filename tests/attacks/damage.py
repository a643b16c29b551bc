"""What disks, and people, do to files."""

from random import Random


def damaged(content: bytes, rng: Random) -> bytes:
    """Return bytes that are not the given ones: flipped, lost, moved, cut, or added to."""
    other = content
    while other == content:
        other = rng.choice(KINDS)(content, rng)
    return other


def _flip(content: bytes, rng: Random) -> bytes:
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def _block(content: bytes, rng: Random) -> slice:
    start = rng.randrange(len(content))
    return slice(start, start + rng.choice([1, 8, 64, 512, 4096]))


def _zero(content: bytes, rng: Random) -> bytes:
    block = _block(content, rng)
    return content[: block.start] + bytes(len(content[block])) + content[block.stop :]


def _noise(content: bytes, rng: Random) -> bytes:
    block = _block(content, rng)
    return content[: block.start] + rng.randbytes(len(content[block])) + content[block.stop :]


def _lose(content: bytes, rng: Random) -> bytes:
    block = _block(content, rng)
    return content[: block.start] + content[block.stop :]


def _move(content: bytes, rng: Random) -> bytes:
    block = _block(content, rng)
    rest = content[: block.start] + content[block.stop :]
    place = rng.randrange(len(rest) + 1)
    return rest[:place] + content[block] + rest[place:]


def _cut(content: bytes, rng: Random) -> bytes:
    return content[: rng.choice([0, rng.randrange(len(content)), len(content) - 1])]


def _add(content: bytes, rng: Random) -> bytes:
    return content + rng.choice([bytes(1), bytes(512), rng.randbytes(40), content])


KINDS = (_flip, _flip, _zero, _noise, _lose, _move, _cut, _add)
