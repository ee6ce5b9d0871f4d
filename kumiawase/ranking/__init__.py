"""Leaderboards from verdicts that others published."""
