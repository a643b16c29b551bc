"""Kind and version of every file of measures; a version changes with its layout."""

from specflow.hdf5 import Layout

SPECTRA = Layout("spectra", 2)
PRUNING = Layout("pruning", 2)
CONNECTION = Layout("connection", 2)
TICKET = Layout("ticket", 2)
SAMPLES = Layout("samples", 1)
