"""Retention: what the store lets go of, by site and kind, without touching what it has answered for."""
