"""Results as small tidy tables and a metrics file (no torch)."""
