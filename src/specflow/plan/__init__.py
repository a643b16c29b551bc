"""What a params.yaml asks of a machine, before anything is trained: steps, FLOPs and disk."""
