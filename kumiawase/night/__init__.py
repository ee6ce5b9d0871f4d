"""A search left alone: how it runs, what stops it, what it tells, and what it will take."""
