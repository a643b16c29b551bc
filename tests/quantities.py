"""Which quantities every matrix has, whatever is asked for."""

from specflow.spectra import QUANTITIES

ALWAYS = tuple(name for name, one in QUANTITIES.items() if one.family is None)
ON_DEMAND = tuple(name for name in QUANTITIES if name not in ALWAYS)
