"""Fixtures of the tests of models."""

from tests.artifact_stores import built, photos, store
from tests.model_shelf import authority, server

__all__ = ["authority", "built", "photos", "server", "store"]
