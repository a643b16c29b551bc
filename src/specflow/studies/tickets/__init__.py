"""Lottery tickets: masked networks that are trained again from an early step."""
