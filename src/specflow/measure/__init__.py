"""Measurements over trajectories: where the store, the engine and the models meet."""
