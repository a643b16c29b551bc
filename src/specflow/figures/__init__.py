"""Figures of the tables, one file a figure (no torch)."""
