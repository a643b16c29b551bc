"""What each step holds by itself: tensors that are missing, changed in shape, empty, not sound."""

import re
from collections.abc import Iterator

from specflow.audit.findings import WHOLE_STEP, Flag
from specflow.audit.suite import Suite, shape_of
from specflow.wiring.tensors import EMPTY, FLOATS

# An adapter's second factor starts at 0, and is set to 0 again where adapters are merged midway.
_STARTS_AT_ZERO = re.compile(r"lora_(embedding_)?B\b|\blora_up\b|\.lora(\.|$)")


def structure_flags(suite: Suite) -> Iterator[Flag]:
    """Yield what is missing, extra or reshaped, beside what most steps have."""
    expected = suite.contents.expected
    for place, infos in enumerate(suite.contents.infos):
        if (part := suite.contents.quantized[place]) is not None:
            yield suite.flag(place, "quantized", [WHOLE_STEP], part)
        for name, info in expected.items():
            usual = f"{shape_of(info.shape)} in most steps"
            own = infos.get(name)
            if own is None:
                yield suite.flag(place, "missing", [name], f"{usual}, absent here")
            elif own.shape != info.shape and 0 not in own.shape:
                yield suite.flag(place, "reshaped", [name], f"{shape_of(own.shape)}; {usual}")
            elif own.dtype not in FLOATS and info.dtype in FLOATS:
                evidence = f"dtype {own.dtype}; {info.dtype} in other steps".replace("torch.", "")
                yield suite.flag(place, "reshaped", [name], evidence)
        for name, info in infos.items():
            if name not in expected:
                evidence = f"{shape_of(info.shape)} here, absent in most steps"
                yield suite.flag(place, "extra", [name], evidence)


def value_flags(suite: Suite) -> Iterator[Flag]:
    """Yield tensors that have no entries, hold NaN or infinity, or were set to 0."""
    trained: set[str] = set()  # those that were something else than 0
    for place, scans in enumerate(suite.scans):
        infos = suite.contents.infos[place]
        empty = suite.empty(place)
        broken = [name for name, scan in scans.items() if not scan.finite]
        zero = [n for n in scans if scans[n].zero and n in trained and _is_weight(suite, n)]
        trained |= {name for name, scan in scans.items() if not scan.zero and scan.finite}
        if empty:
            yield suite.flag(place, "empty", empty, EMPTY)
        if broken:
            first = shape_of(infos[broken[0]].shape)
            yield suite.flag(place, "non_finite", broken, f"NaN or infinity among {first}")
        if zero:
            evidence = f"all of {shape_of(infos[zero[0]].shape)} are 0, and were not before"
            yield suite.flag(place, "zero", zero, evidence)


def always_zero(suite: Suite) -> list[str]:
    """Return weight matrices that are 0 at every step: as they were initialized, or lost."""
    last = suite.scans[-1]
    return [
        name
        for name in suite.weights
        if name in last and _is_weight(suite, name)
        if all(name not in scans or scans[name].zero for scans in suite.scans)
    ]


def _is_weight(suite: Suite, name: str) -> bool:
    """Return whether a tensor is a weight matrix that training does not set back to 0."""
    info = suite.contents.expected.get(name)
    return info is not None and len(info.shape) > 1 and not _STARTS_AT_ZERO.search(name)
