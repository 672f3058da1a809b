"""From a pass's revision to the messages that tell it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from platefleet.agent.crops import Cut, jpeg
from platefleet.agent.passes.types import Revise
from platefleet.agent.settings.tree import CropSettings
from platefleet.models.reading import Character
from platefleet.protocol.clock import Instant
from platefleet.protocol.ids import LaneId
from platefleet.protocol.messages import Alternative, CharacterRead, Crops, PlateEvent, Stamp

MOST_CHARACTERS, MOST_ALTERNATIVES, MOST_STAGES = 12, 8, 16
Stamped = Callable[[Instant], Stamp]
"""A moment of this machine with what is known of its clock."""


@dataclass(frozen=True, slots=True)
class Told:
    """What goes into an event besides the revision itself.

    stamp: of a picture's time, by our clocks. ms: milliseconds per stage of the newest frame. artifacts: what ran for
    each role.
    """

    lane: LaneId
    stamp: Stamped
    ms: Mapping[str, float]
    artifacts: Mapping[str, str]


def plate_event(revise: Revise, told: Told, at: Stamp | None = None) -> PlateEvent:
    """Return the message of one revision. at: when it is appended to the outbox, by our own clocks."""
    characters = tuple(character_read(character) for character in revise.characters[:MOST_CHARACTERS])
    confidences = [character.confidence for character in characters]
    return PlateEvent(
        pass_id=revise.pass_id,
        revision=revise.revision,
        final=revise.final,
        interrupted=revise.interrupted,
        lane=told.lane,
        captured=told.stamp(revise.captured),
        first_seen=told.stamp(revise.first_seen),
        told=at,
        text=revise.text[:MOST_CHARACTERS],
        characters=characters,
        mean=sum(confidences) / len(confidences) if confidences else 0.0,
        minimum=min(confidences, default=0.0),
        unread=revise.unread,
        direction=revise.direction,
        vehicle=revise.vehicle,
        plate_box=revise.plate_box,
        vehicle_box=revise.vehicle_box,
        plate_confidence=share(revise.plate_confidence),
        frames=revise.frames,
        ms={stage: round(ms, 3) for stage, ms in list(told.ms.items())[:MOST_STAGES]},
        artifacts=dict(told.artifacts),
    )


def crops(revise: Revise, shown: Cut, told: Told, settings: CropSettings) -> Crops | None:
    """Return the message with the pictures of one revision, or None if there is nothing to show."""
    plate = None if shown.plate is None else jpeg(shown.plate, settings.quality, settings.plate_bytes)
    vehicle = None if shown.vehicle is None else jpeg(shown.vehicle, settings.quality, settings.vehicle_bytes)
    if plate is None and vehicle is None:
        return None
    return Crops(
        pass_id=revise.pass_id,
        revision=revise.revision,
        captured=told.stamp(shown.captured),
        plate=plate,
        vehicle=vehicle,
        plate_box=shown.plate_box,
        vehicle_box=shown.vehicle_box,
    )


def character_read(character: Character) -> CharacterRead:
    """Return a character as the wire has it."""
    alternatives = tuple(
        Alternative(text=text, confidence=share(confidence))
        for text, confidence in character.alternatives[:MOST_ALTERNATIVES]
    )
    return CharacterRead(text=character.text, confidence=share(character.confidence), alternatives=alternatives)


def share(value: float) -> float:
    """Return a confidence; sums of probabilities exceed 1 by rounding."""
    return min(1.0, max(0.0, float(value)))
