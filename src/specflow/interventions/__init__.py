"""Changes made to weights by hand: pruning of spectra, interpolation, batch-norm re-estimation."""
