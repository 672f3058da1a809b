"""The listed plates of a site, lent to one point at a time: within 15 s the same plate is the same car."""

from __future__ import annotations

from collections.abc import Iterable

from platefleet.fleet.conformance.controller.points import OVER_MS, SAME_CAR_MS
from platefleet.protocol.clock import MILLISECOND_NS
from platefleet.protocol.errors import ConfigError

LEAST = 4
"""The point that needs most takes two, a good event inside it and one after it one each."""
REST_NS = (SAME_CAR_MS + OVER_MS) * MILLISECOND_NS
_DIGITS = "3479"
OWN = tuple(f"KTX{_DIGITS[n // 16]}{_DIGITS[n // 4 % 4]}{_DIGITS[n % 4]}" for n in range(48))
"""The kit's own plates: no two are look-alikes, and all of them together need no waiting."""


class Plates:
    """Which plates are free, and when."""

    def __init__(self, listed: Iterable[str]) -> None:
        """Lend `listed`. Raises ConfigError for too few, or for one that is written as no camera reads it."""
        self._free_ns = dict.fromkeys(listed, 0)
        for plate in self._free_ns:
            if not (plate.isascii() and plate.isalnum() and plate == plate.upper() and len(plate) <= 12):
                raise ConfigError(f"--listed: {plate[:40]!a} is no plate as it is read: 1 to 12 of A-Z and 0-9.")
        if len(self._free_ns) < LEAST:
            raise ConfigError(
                f"--listed: {len(self._free_ns)} plates are too few; put {LEAST} or more on the controller's list, "
                f"or the kit's own (`--list-plates`), with which nothing has to wait."
            )

    @property
    def all(self) -> frozenset[str]:
        """Every plate."""
        return frozenset(self._free_ns)

    def free(self, now_ns: int) -> int:
        """Return how many may be taken."""
        return sum(at_ns <= now_ns for at_ns in self._free_ns.values())

    def take(self, count: int, now_ns: int) -> tuple[str, ...]:
        """Return `count` free plates (fewer where fewer are), those rested longest first. They are not free then."""
        rested = sorted((at_ns, plate) for plate, at_ns in self._free_ns.items() if at_ns <= now_ns)
        taken = tuple(plate for _, plate in rested[:count])
        self._free_ns.update(dict.fromkeys(taken, 2**63))
        return taken

    def give_back(self, plates: Iterable[str], now_ns: int) -> None:
        """Let plates rest."""
        self._free_ns.update({plate: now_ns + REST_NS for plate in plates if plate in self._free_ns})

    def stranger(self, number: int) -> str:
        """Return a plate that is not on the list."""
        plate = f"WWY{number:04d}"
        return plate if plate not in self._free_ns else self.stranger(number + 1000)
