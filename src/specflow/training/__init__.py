"""One training loop for all tasks: optimizers, schedules, checkpoints, resume."""
