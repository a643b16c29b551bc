"""Quantities of what was measured of matrices: NaN where they are not defined.

Those of matrices of one shape are computed together: of small ones the calls are what takes time.
"""

from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress

import torch
from torch import Tensor

from specflow.measure.packed import Row
from specflow.measure.settings import SpectraParams
from specflow.spectra import QUANTITIES, Quantity, is_defined


def quantities_always(
    spectra: Sequence[Tensor], shapes: Sequence[tuple[int, int]], settings: SpectraParams
) -> list[Row]:
    """Return each quantity that every matrix has, shape (T,), of the singular values of each.

    Args:
        spectra: Singular values (T, R) of each matrix.
        shapes: Rows and columns of each.
        settings: What quantities take beside them.
    """
    always = [one for one in QUANTITIES.values() if one.family is None]
    found: list[Row] = [{} for _ in spectra]
    for places in alike([(*shape, *S.shape) for shape, S in zip(shapes, spectra, strict=True)]):
        S = torch.stack([spectra[place] for place in places])
        values = {one.name: _values(one, S, shapes[places[0]], settings) for one in always}
        for number, place in enumerate(places):
            found[place] = {name: each[number] for name, each in values.items()}
    return found


def quantities_on_demand(
    rows: Sequence[Row], shape: tuple[int, int], settings: SpectraParams, groups: int = 1
) -> list[Row]:
    """Return each quantity of the families asked for, shape (), of matrices of one shape.

    Of several blocks those that compare with noise are NaN: noise of the whole is none of theirs.

    Args:
        rows: What there is of each matrix at one step: spectra (R,) by the name of their array,
            the same ones of all.
        shape: Rows and columns of each.
        settings: What is asked for.
        groups: How many blocks lie on the diagonal of each.
    """
    values = {
        one.name: torch.full((len(rows),), torch.nan, dtype=torch.float64)
        if groups > 1 and one.takes_shape
        else _values(one, torch.stack([row[one.of] for row in rows]), shape, settings)
        for one in _demanded(settings.more)
        if one.of in rows[0]
    }
    return [{name: each[place] for name, each in values.items()} for place in range(len(rows))]


def alike(kinds: Iterable[Hashable]) -> list[list[int]]:
    """Return the places of each kind, in the order in which kinds come."""
    places: dict[Hashable, list[int]] = {}
    for place, kind in enumerate(kinds):
        places.setdefault(kind, []).append(place)
    return list(places.values())


def _demanded(families: Iterable[str]) -> list[Quantity]:
    return [one for one in QUANTITIES.values() if one.family in set(families)]


def _values(
    quantity: Quantity, S: Tensor, shape: tuple[int, int], settings: SpectraParams
) -> Tensor:
    """Return a quantity of spectra (..., R), shape (...); NaN where it is not defined.

    All-zero matrices have norms.
    """
    given = {name: getattr(settings, name) for name in quantity.settings}
    if quantity.takes_shape:
        given |= {"rows": shape[0], "columns": shape[1]}
    found = torch.full(S.shape[:-1], torch.nan, dtype=torch.float64)
    defined, zero = is_defined(S), (S == 0).all(-1)
    if defined.any():
        found[defined] = quantity.function(S[defined], **given)
    if zero.any():
        with suppress(ValueError):
            found[zero] = quantity.function(S[zero], **given)
    return found
