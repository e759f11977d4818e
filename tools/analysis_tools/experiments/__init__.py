"""What the tools that train one thing in several ways have in common."""
