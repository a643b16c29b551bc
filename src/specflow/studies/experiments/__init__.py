"""Runs of a task on a dataset: the experiments that all others start from."""
