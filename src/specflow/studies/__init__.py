"""What the paper does, a kind of experiment each: its section, its rows of the tables."""
