"""Every message of the wire, version 1: frozen pydantic models, one subject a file."""

from platefleet.protocol.messages.base import Message, Part, Stamp
from platefleet.protocol.messages.command import Cancel, Command, CommandStatus, Waiting
from platefleet.protocol.messages.decision import Decision
from platefleet.protocol.messages.delivery import (
    Ack,
    Answer,
    Ask,
    Backfill,
    Beat,
    EpochCoverage,
    EpochEnd,
    EpochOpening,
    Gone,
    Host,
    LiveStatus,
    Presence,
)
from platefleet.protocol.messages.desired import Desired, Reported, Rule, Span, Window
from platefleet.protocol.messages.envelope import Envelope
from platefleet.protocol.messages.health import ArtifactInfo, CameraHealth, Hardware, Health, Info
from platefleet.protocol.messages.plate import Alternative, CharacterRead, Crops, Heard, LivePlate, PlateEvent
from platefleet.protocol.messages.progress import Progress
from platefleet.protocol.messages.trust import RevokedKey, Trust, TrustedKey

__all__ = [
    "Ack",
    "Alternative",
    "Answer",
    "ArtifactInfo",
    "Ask",
    "Backfill",
    "Beat",
    "CameraHealth",
    "Cancel",
    "CharacterRead",
    "Command",
    "CommandStatus",
    "Crops",
    "Decision",
    "Desired",
    "Envelope",
    "EpochCoverage",
    "EpochEnd",
    "EpochOpening",
    "Gone",
    "Hardware",
    "Health",
    "Heard",
    "Host",
    "Info",
    "LivePlate",
    "LiveStatus",
    "Message",
    "Part",
    "PlateEvent",
    "Presence",
    "Progress",
    "Reported",
    "RevokedKey",
    "Rule",
    "Span",
    "Stamp",
    "Trust",
    "TrustedKey",
    "Waiting",
    "Window",
]
