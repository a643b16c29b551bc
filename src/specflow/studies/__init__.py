"""What the paper does, a kind of experiment each: its section of params.yaml, and its tables."""
