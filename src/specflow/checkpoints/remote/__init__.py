"""Checkpoints on web servers and on the hub, read tensor by tensor; no weight is kept."""
