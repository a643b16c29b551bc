"""Spectra of a network while it trains: copied in the training, measured beside it."""
