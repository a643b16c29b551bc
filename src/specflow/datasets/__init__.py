"""Datasets: one file each, prepared once into an HDF5 file and loaded from it as tensors."""
