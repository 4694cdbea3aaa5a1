"""Many trainings: cross-validation, checks of labels, and searches over settings."""
