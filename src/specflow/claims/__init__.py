"""The scorecard: which claims the runs at hand bear out, from the tables alone (no torch)."""
