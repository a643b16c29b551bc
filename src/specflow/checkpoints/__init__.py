"""The steps of one network's training, wherever they lie, read tensor by tensor."""
