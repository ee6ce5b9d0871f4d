"""How an ensemble answers: agents, layers, references, synthesis."""
