"""Quantities of what was measured of a matrix: NaN where they are not defined."""

from collections.abc import Iterable
from contextlib import suppress

import torch
from torch import Tensor

from specflow.measure.packed import Row
from specflow.measure.settings import SpectraParams
from specflow.spectra import QUANTITIES, Quantity, is_defined
from specflow.wiring import View


def quantities_always(S: Tensor, shape: tuple[int, int], settings: SpectraParams) -> Row:
    """Return each quantity that every matrix has, shape (T,), of its singular values (T, R)."""
    always = (one for one in QUANTITIES.values() if one.family is None)
    return {one.name: _values(one, S, shape, settings) for one in always}


def quantities_on_demand(spectra: Row, view: View, settings: SpectraParams) -> Row:
    """Return each quantity of the families asked for, shape (), of the spectra of one step.

    Args:
        spectra: Spectra (R,) by the name of their array.
        view: The matrix.
        settings: What is asked for.
    """
    shape = (view.rows, view.columns)
    return {
        one.name: _values(one, spectra[one.of][None], shape, settings)[0]
        for one in _demanded(settings.more)
        if one.of in spectra
    }


def _demanded(families: Iterable[str]) -> list[Quantity]:
    return [one for one in QUANTITIES.values() if one.family in set(families)]


def _values(
    quantity: Quantity, S: Tensor, shape: tuple[int, int], settings: SpectraParams
) -> Tensor:
    """Return a quantity of all steps, NaN where it is not defined; all-zero matrices have norms."""
    given = {name: getattr(settings, name) for name in quantity.settings}
    if quantity.takes_shape:
        given |= {"rows": shape[0], "columns": shape[1]}
    found = torch.full(S.shape[:1], torch.nan, dtype=torch.float64)
    defined, zero = is_defined(S), (S == 0).all(-1)
    if defined.any():
        found[defined] = quantity.function(S[defined], **given)
    if zero.any():
        with suppress(ValueError):
            found[zero] = quantity.function(S[zero], **given)
    return found
