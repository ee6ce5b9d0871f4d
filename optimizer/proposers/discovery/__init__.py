"""The discovery turn: an LLM reads the scores so far and proposes the next ensembles.

The loop is DiscoPOP's (Lu et al. 2024, arXiv:2406.08414): an archive with its scores goes in,
reasoned proposals come out, each is checked before anything is spent on it, its score is in
the next prompt. Unlike there the prompt is rebuilt from the store every time, so it is bounded
and a restart loses nothing; a faulty proposal may be repaired once; prompts are proposed too.
"""

from optimizer.proposers.discovery.turn import Discovery

__all__ = ["Discovery"]
