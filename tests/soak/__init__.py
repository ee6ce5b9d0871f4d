"""What a night must survive, measured: `make soak`."""
