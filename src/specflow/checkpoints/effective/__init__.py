"""What layers apply, made of what files keep: norms, adapters, scales, packed numbers."""
