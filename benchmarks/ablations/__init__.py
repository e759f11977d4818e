"""Parts of the ablation: its arms, their configs, one run, and the tables."""
