"""Tuning the parameters of tracking: what Optuna does not do itself."""

import warnings

from optuna.exceptions import ExperimentalWarning

# So Optuna marks heartbeats, and its plots with Matplotlib.
warnings.simplefilter('ignore', ExperimentalWarning)
