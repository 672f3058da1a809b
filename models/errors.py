"""The branches of `ModelError`."""

from platefleet.protocol.errors import ModelError


class MissingExtra(ModelError):
    """A library of an optional extra is not installed; the sentence gives the install line."""


class WeightsError(ModelError):
    """Weights that are absent, unreadable, or not the ones that were pinned by digest."""


class PictureError(ModelError):
    """A picture that cannot be decoded, is empty, or is larger than the limit."""
