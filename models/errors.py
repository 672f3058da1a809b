"""The branches of `ModelError`."""

from platefleet.protocol.errors import ModelError


class MissingExtra(ModelError):
    """A library of an optional extra is not installed; the sentence gives the install line."""


class WeightsError(ModelError):
    """Weights that are absent, unreadable, or not the ones that were pinned by digest."""


class PictureError(ModelError):
    """A picture that cannot be decoded, is empty, or is larger than the limit."""


class ArtifactError(ModelError):
    """An artifact that is not there, is damaged, or may not run; what is active stays as it is."""


class PlanMismatch(ArtifactError):
    """An engine for another TensorRT or another GPU, or no engine at all."""


class BuildError(ModelError):
    """A build that came to nothing; what is active stays as it is."""


class BuildDeferred(BuildError):
    """A build that is tried again at a quieter time: memory was short, or the barrier needed the machine."""
