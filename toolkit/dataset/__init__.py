"""The table of a dataset and the stages that fill it: verify, resize, split, quality, credits."""
