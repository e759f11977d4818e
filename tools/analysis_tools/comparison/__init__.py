"""What the tools that look at stored results have in common."""
