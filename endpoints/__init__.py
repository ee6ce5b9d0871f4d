"""How one request reaches one model: dialects, queues, keys, tokens."""
