"""Ingest: commits what devices tell into the store, and acknowledges it."""
