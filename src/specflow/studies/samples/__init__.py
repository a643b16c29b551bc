"""New images from the final weights of generative runs, whole and pruned."""
