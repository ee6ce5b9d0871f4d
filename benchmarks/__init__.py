"""Ratios beside their floors: each measurement and its floor come from the same run."""

import os

# As the program does: threads of the linear algebra only stand in each other's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
