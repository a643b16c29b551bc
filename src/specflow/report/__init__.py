"""The report: one page of claims, experiments and figures (no torch)."""
