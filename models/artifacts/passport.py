"""What is known of an artifact: what it was made from, on what, how, and what was measured of it. JSON beside it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from platefleet.models.errors import ArtifactError

PASSPORT_VERSION = 1
"""Raised when a field changes what somebody does; a passport of another version is refused, never guessed at."""
Role = Literal["vehicle", "plate", "reader"]
Format = Literal["pt", "onnx", "tensorrt"]
Precision = Literal["fp32", "fp16", "int8"]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Judged = Literal["baseline", "unmeasured", "accepted", "rejected", "undecided"]
"""`baseline`: the source itself, at FP32, against which others are measured. `unmeasured`: built, not compared yet."""


class Part(BaseModel):
    """A part of a passport: frozen, strict about what it knows, deaf to what a later release adds."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Machine(Part):
    """Where an artifact was made. None: not there, or not told by this machine."""

    cpu: str
    gpu: str | None = None
    compute_capability: str | None = None
    tensorrt: str | None = None
    cuda: str | None = None
    l4t: str | None = None
    power_mode: str | None = None
    onnxruntime: str | None = None


class Recipe(Part):
    """Everything that was chosen, and that makes two artifacts of one source different.

    size: side of the square in pixels, a reader's width. batch: None is as the source has it; a reader's source then
    takes any width, and `size` says nothing. opset: of the ONNX between source and
    artifact. letterbox: the version of the preprocessing. tf32: whether "FP32" may round to TF32's ten bits.
    fp32_layers: those kept in FP32 in an engine of less. head_fp32: whether the head was left out of INT8.
    calibration: digest of the calibration set. level: TensorRT's builder optimization level.
    """

    role: Role
    source: Digest
    format: Format
    precision: Precision
    size: Annotated[int, Field(ge=32, le=4096)]
    batch: Annotated[int, Field(ge=1, le=64)] | None = 1
    letterbox: int = 1
    opset: int = 17
    tf32: bool = False
    level: Annotated[int, Field(ge=0, le=5)] | None = None
    fp32_layers: tuple[str, ...] = ()
    head_fp32: bool = False
    calibration: Digest | None = None

    @field_validator("size")
    @classmethod
    def _size_of_a_detector(cls, size: int, given: ValidationInfo) -> int:
        if given.data.get("role") != "reader" and size % 32:
            raise ValueError("a multiple of 32 pixels would be right")
        return size


class Built(Part):
    """How the build went. Counts are lines of the builder's log."""

    seconds: float
    peak_memory_bytes: int | None = None
    workspace_bytes: int | None = None
    skipped_tactics: int = 0
    fallbacks: int = 0
    warnings: int = 0
    notes: tuple[str, ...] = ()


class Latency(Part):
    """Milliseconds of one batch, p50 p90 p99, and how many were timed."""

    batch: int
    p50: float
    p90: float
    p99: float
    timed: int


class Opening(Part):
    """What opening it in a child took the last time: seconds until its first pass was done, and memory at most."""

    seconds: float
    memory_bytes: int
    gpu_bytes: int = 0


class Verdict(Part):
    """What acceptance said. numbers: by name, as the reason quotes them; baseline: the key it was compared with."""

    judged: Judged
    reason: str = ""
    baseline: str | None = None
    evaluation: Digest | None = None
    numbers: dict[str, float] = Field(default_factory=dict)
    threshold: float | None = None
    frames_more: int | None = None


class Passport(Part):
    """One artifact. key: its name in the store. files: digest of each file of it by name; the first is the model.

    classes: names of a detector's classes by their numbers, which an engine does not tell itself. calibrated_on: the
    first 16 digits of the digest of each picture that INT8 was calibrated on: it is not judged on these.
    """

    version: Literal[1] = 1
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    recipe: Recipe
    machine: Machine
    files: dict[str, Digest]
    onnx: Digest | None = None
    classes: tuple[str, ...] = ()
    calibrated_on: tuple[str, ...] = ()
    parent: str | None = None
    made_utc_ns: int
    built: Built | None = None
    latency: tuple[Latency, ...] = ()
    opening: Opening | None = None
    verdict: Verdict = Verdict(judged="unmeasured")

    @property
    def model(self) -> str:
        """The name of the model's file."""
        return next(iter(self.files))

    @property
    def title(self) -> str:
        """A short name for people: role/format/precision and the beginning of the key."""
        return f"{self.recipe.role}/{self.recipe.format}/{self.recipe.precision}/{self.key[:8]}"


def write(passport: Passport) -> bytes:
    """Return the passport as JSON for a file."""
    return passport.model_dump_json(indent=2).encode() + b"\n"


def read(data: bytes, where: str) -> Passport:
    """Return the passport in `data`. Raises ArtifactError naming `where` for anything else."""
    try:
        return Passport.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise ArtifactError(
            f"{where}: no passport that this release can read ({field}: {first['msg']}); build the artifact again"
        ) from error
