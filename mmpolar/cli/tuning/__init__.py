"""Tuning the parameters of tracking: what Optuna does not do itself."""
