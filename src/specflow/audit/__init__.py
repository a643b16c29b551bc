"""The audit: are checkpoints the steps of one training that they claim to be?"""
