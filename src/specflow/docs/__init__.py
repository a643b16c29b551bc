"""The generated parts of README.md and docs/: from docstrings, registries, models and results."""
