"""specflow: what training does to the spectra of a network's weights, as DVC pipelines."""
