"""One training, from its settings to the weights that are kept."""
