"""Measurements: as ratios where there is a reference, and as shares of a whole where there is none."""
