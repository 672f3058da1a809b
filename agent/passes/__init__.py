"""Passes: boxes tracked over frames, characters voted, one pass per vehicle. All of it without clocks or threads."""
