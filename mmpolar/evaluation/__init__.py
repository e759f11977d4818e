"""Evaluation: registered metrics (``metrics``) over functions of plain arrays (``functional``)."""
