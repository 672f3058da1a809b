"""What a device says of itself: info once per connection, health every 30 s."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from platefleet.protocol.ids import CommandId, DeviceId, LaneId
from platefleet.protocol.messages.base import IN_ORDER, Count, Measure, Message, Part, Sentence, ShortText, Stamp
from platefleet.protocol.messages.desired import Reported

Percentiles = tuple[Measure, Measure, Measure]
"""p50, p90, p99."""


class Hardware(Part):
    """The machine."""

    model: ShortText
    cpu: ShortText
    cores: Count
    memory_bytes: Count
    gpu: ShortText | None = None


class ArtifactInfo(Part):
    """One artifact that a device can run for a role; its passport is asked for by a command."""

    role: Literal["vehicle", "plate", "reader"]
    format: Literal["pt", "onnx", "tensorrt"]
    precision: Literal["fp32", "fp16", "int8"]
    digest: ShortText
    active: bool


class Info(Message):
    """What a device is: `up/info`, retained."""

    device: DeviceId
    kind: Literal["agent", "gate"]
    software: ShortText
    started: Stamp
    install: ShortText
    hardware: Hardware
    lanes: Annotated[tuple[LaneId, ...], Field(max_length=64)] = ()
    artifacts: Annotated[tuple[ArtifactInfo, ...], Field(max_length=64)] = ()
    commands: Annotated[tuple[CommandId, ...], Field(max_length=64)] = ()
    desired_version: Count = 0
    trust_version: Count = 0
    reported: Reported | None = None


class CameraHealth(Part):
    """One camera: what state it is in and since when, and what was lost."""

    lane: LaneId
    state: Literal["opening", "running", "stalled", "failed", "ended"]
    why: Sentence = ""
    fps: Measure = 0.0
    frames: Count = 0
    dropped: Count = 0
    reopened: Count = 0
    black: bool = False
    frozen: bool = False
    last_frame_ms: Count | None = None


class Health(Message):
    """How a device is doing: `up/health`, not retained, every 30 s.

    outbox_volatile: what is appended now ends with the process, since the disk refuses or there is none.
    disk_free_bytes: where the outbox lies.
    """

    at: Stamp
    uptime_ms: Count
    cameras: Annotated[tuple[CameraHealth, ...], Field(max_length=64)] = ()
    latency_ms: Annotated[dict[ShortText, Percentiles], Field(max_length=32), IN_ORDER] = Field(default_factory=dict)
    temperature_c: Measure | None = None
    power_w: Measure | None = None
    memory_bytes: Count = 0
    gpu_memory_bytes: Count | None = None
    outbox_depth: Count = 0
    outbox_bytes: Count = 0
    outbox_volatile: bool = False
    disk_free_bytes: Count | None = None
    counters: Annotated[dict[ShortText, Count], Field(max_length=256), IN_ORDER] = Field(default_factory=dict)
    problems: Annotated[tuple[Sentence, ...], Field(max_length=32)] = ()
