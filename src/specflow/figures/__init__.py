"""Figures of the tables: a function decorated with `@figure` each, found by listing this folder."""
