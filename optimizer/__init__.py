"""Which ensemble to try next, how much of it to evaluate, when to stop, what to confirm."""
