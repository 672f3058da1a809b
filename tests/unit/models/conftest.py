"""Fixtures of the tests of models."""

from tests.artifact_stores import built, photos, store

__all__ = ["built", "photos", "store"]
