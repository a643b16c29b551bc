"""Kinds of learning problems: loss, metrics and batches of each, one file a kind."""
