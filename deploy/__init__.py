"""Puts the parts together: the command line's root and the demo."""
