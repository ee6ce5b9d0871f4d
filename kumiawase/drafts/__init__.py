"""A first kumiawase.yaml: from the servers that answer, or from a pool to start."""
