"""Runs: a task on a dataset, trained with every seed, and what is measured of every checkpoint."""
