"""A simulated pool of models behind a real OpenAI-compatible server: docs/design/rehearsal.md."""
