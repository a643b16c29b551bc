"""Checkpoints made elsewhere: any files of one network's training."""
