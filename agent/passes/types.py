"""What goes into the pass machine, what comes out, and what it may be told to do differently."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from platefleet.models.reading import Character, Reading
from platefleet.protocol.clock import SECOND_NS, Instant

Box = tuple[float, float, float, float]
"""x1 y1 x2 y2 in frame pixels."""
Point = tuple[float, float]
Direction = Literal["approaching", "receding", "unknown"]
Unread = Literal["cut by the frame", "illegible", "no plate", "unsettled", "interrupted"]


@dataclass(frozen=True, slots=True)
class VehicleSeen:
    """A vehicle in one frame: its class's name and the detector's confidence, 0–1."""

    box: Box
    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class PlateSeen:
    """A plate in one frame.

    box: fitted to the characters; detected: the detector's own; confidence: the detector's, 0–1. vehicle: index into
    the look's vehicles, or None.
    """

    box: Box
    detected: Box
    confidence: float
    reading: Reading
    vehicle: int | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """One frame after the pipeline. at: when it was captured; only its monotonic part is ever compared."""

    at: Instant
    width: int
    height: int
    vehicles: tuple[VehicleSeen, ...] = ()
    plates: tuple[PlateSeen, ...] = ()
    ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tick:
    """Time went by without a frame: the camera is down. Nothing is taken for gone because of it."""

    at: Instant


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more will be seen: every open pass is closed as interrupted."""

    at: Instant


@dataclass(frozen=True, slots=True)
class OpenPass:
    """What must be known of a told pass, so that the agent's next start can go on with it.

    revision, reading: what was told last. first, last: when its vehicle was seen. size: width and height of the
    pictures that the boxes are pixels of. began, began_by_plate, peak: by which its direction is judged. looks, plates,
    whole, legible: in how many looks it, a plate, an uncut plate, a legible one was seen.
    """

    pass_id: str
    revision: int
    reading: Reading
    first: Instant
    last: Instant
    size: tuple[int, int]
    began: Box
    began_by_plate: bool
    plate: Box | None
    plate_confidence: float
    vehicle: Box | None
    vehicle_name: str | None
    score: float
    peak: float
    looks: int
    plates: int
    whole: int
    legible: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The agent starts. fresh: open passes whose cars may still stand; stale: the others, closed as interrupted."""

    at: Instant
    fresh: tuple[OpenPass, ...] = ()
    stale: tuple[OpenPass, ...] = ()


@dataclass(frozen=True, slots=True)
class Left:
    """The agent stops: what was told stays open for its next start, and what was not is closed as interrupted."""

    at: Instant


PassEvent = Look | Tick | Ended | Resumed | Left


@dataclass(frozen=True, slots=True)
class Revise:
    """Tell a revision of a pass.

    A settled reading has `unread` None; otherwise `text` and `characters` are empty and `unread` says why. Boxes are
    those of the look at `captured`, which is the current one unless `final`. open: what is kept of it with this
    revision; None with the last.
    """

    pass_id: str
    revision: int
    final: bool
    interrupted: bool
    captured: Instant
    first_seen: Instant
    text: str
    characters: tuple[Character, ...]
    unread: Unread | None
    direction: Direction
    vehicle: str | None
    plate_box: Box | None
    vehicle_box: Box | None
    plate_confidence: float
    frames: int
    open: OpenPass | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A pass that was told is seen again at `seen`: announce its newest revision again when 2 s have gone by."""

    pass_id: str
    seen: Instant
    open: OpenPass | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    """Keep what is known of a pass for the agent's next start; it is not told any more."""

    pass_id: str
    open: OpenPass


@dataclass(frozen=True, slots=True)
class Portrait:
    """This look shows the vehicle better than any before: what is kept for its crops comes from this frame."""

    pass_id: str
    plate_box: Box | None
    vehicle_box: Box | None


@dataclass(frozen=True, slots=True)
class Forget:
    """What had a portrait was no pass after all, or its last revision is told: nothing is kept for it."""

    pass_id: str


Effect = Revise | Standing | Portrait | Forget | Leave


@dataclass(frozen=True, slots=True)
class PassSettings:
    """What a site may set; each default has its reason beside it.

    polygon: the lane, corners in fractions of width and height; empty is the whole picture.
    approach: the way a car comes closer in the picture, x right and y down; a camera that sees fronts sees them come
    down. agree_frames: whole readings that must agree before a pass is told; one alone is wrong in 1 of 50.
    least_mean, least_minimum: what a legible reading has at least; below it is noise. unread_after_s: a vehicle that
    stands so long without a settled reading is told unread, so that somebody can help. gone_s, hidden_s: unseen for so
    long a vehicle has left; the longer one counts for a vehicle that stood inside the picture, where people and barrier
    arms hide it. least_length: characters of a plate at least. needs_digit: lettering on vans seldom has one, plates
    nearly always do; switch it off where vanity plates are common. least_vehicle_height: of the frame's height; a
    vehicle without a plate is told only if it is at least so tall, or the road behind the car park would be told too.
    """

    polygon: tuple[Point, ...] = ()
    approach: Point = (0.0, 1.0)
    agree_frames: int = 2
    least_mean: float = 0.6
    least_minimum: float = 0.35
    settled_minimum: float = 0.5
    revisions: int = 3
    unread_after_s: float = 5.0
    gone_s: float = 1.5
    hidden_s: float = 8.0
    gone_looks: int = 3
    least_length: int = 4
    needs_digit: bool = True
    border_px: float = 2.0
    least_vehicle_height: float = 0.25
    vehicle_looks: int = 5
    still_s: float = 2.0

    def ns(self, seconds: float) -> int:
        """Return seconds as nanoseconds."""
        return int(seconds * SECOND_NS)
