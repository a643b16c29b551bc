"""Checkpoints and files of spectra on their own: behind commands and `specflow.analyze`."""

from specflow.analysis.checkpoints import QUICK, SPECTRA, analyze_to, audit, spectra_of

__all__ = ["QUICK", "SPECTRA", "analyze_to", "audit", "spectra_of"]
