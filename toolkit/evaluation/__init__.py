"""How good a network is and why: figures, significance, failures, explanations, robustness."""
