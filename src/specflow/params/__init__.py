"""params.yaml: its sections as validated, frozen models (no torch)."""
