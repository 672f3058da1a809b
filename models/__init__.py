"""Artifacts and how to make, run, compare and choose them; the two-stage pipeline."""
