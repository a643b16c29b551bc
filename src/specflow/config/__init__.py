"""params.yaml as one validated model, and the settings of every stage resolved from it."""
