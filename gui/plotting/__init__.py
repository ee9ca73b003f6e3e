"""A plot of long, growing lines that costs little to redraw."""
