"""Ratios beside their floors: each measurement and its floor come from the same run."""
