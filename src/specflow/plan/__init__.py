"""What a params.yaml asks of a machine before it trains: steps, FLOPs, disk, and time on slots."""
