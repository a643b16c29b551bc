"""Architectures: one file each, with its section, its network and its wiring."""
