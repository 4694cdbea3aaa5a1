"""A trained model, opened and asked: its bundle, calibration, predictions, and models exported elsewhere."""
