"""What the experiments and pages have in common."""
