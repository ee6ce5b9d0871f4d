"""The program people run."""

__version__ = "0.1.0"
