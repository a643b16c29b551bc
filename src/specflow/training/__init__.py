"""One training loop for all problems: optimizers, schedules, checkpoints, resume."""
