"""The gate's loop: one thread that hears, decides, sends beats and tells how it is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from platefleet.fleet.gate import by_hand, report
from platefleet.fleet.gate.allow_file import AllowFile
from platefleet.fleet.gate.calendar import Calendar
from platefleet.fleet.gate.core import Core
from platefleet.fleet.gate.facts import Moved
from platefleet.fleet.gate.hearing import Hearing
from platefleet.fleet.gate.inbox import Asked, AskedToForgive, AskedToHold, Inbox, Item, Relisted, Wish
from platefleet.protocol import topics
from platefleet.protocol.age import BEAT_EVERY_MS
from platefleet.protocol.clock import MILLISECOND_NS, SECOND_NS, Clock, Instant
from platefleet.protocol.codec import encode
from platefleet.protocol.delivery.stats import UplinkStats
from platefleet.protocol.errors import GateError, PlatefleetError
from platefleet.protocol.messages import Beat, Decision
from platefleet.protocol.session import Connected, ForeignIncarnation, Received, Refused, Session

LOG = logging.getLogger(__name__)
TURN_S = 0.25
HEALTH_EVERY_NS = 30 * SECOND_NS


class Loop:
    """Owns `core`, `hearing` and the timers; everything reaches it through the inbox."""

    def __init__(
        self,
        gate: str,
        core: Core,
        hearing: Hearing,
        inbox: Inbox,
        session: Session,
        *,
        clock: Clock,
        calendar: Calendar,
        file: AllowFile | None,
        stats: Callable[[], UplinkStats],
        troubles: Callable[[], list[str]],
        counters: Callable[[], dict[str, int]],
        first_beat: int,
    ) -> None:
        """troubles, counters: sentences and counts about what the loop does not own.

        first_beat: random, so that a beat of an earlier life is never taken for one of this.
        """
        self._gate = gate
        self._core = core
        self._hearing = hearing
        self._inbox = inbox
        self._session = session
        self._clock = clock
        self._calendar = calendar
        self._file = file
        self._stats = stats
        self._troubles = troubles
        self._counters = counters
        self._beat = first_beat
        self._clock_is_good = True
        self._beat_at_ns = self._health_at_ns = self._began_ns = clock.now().mono_ns
        self._closing = threading.Event()
        self._stopping = threading.Event()
        self._refused = ""
        self._took = {"decide": report.Took(), "output": report.Took()}
        self._thread = threading.Thread(target=self._run, name="gate loop", daemon=True)

    def start(self) -> None:
        """Say what this gate is, and begin."""
        stamp = self._calendar.moment(self._clock.now()).stamp
        self._session.retain(topics.info(self._gate), encode(report.info(self._gate, stamp)))
        self._thread.start()

    def close(self) -> None:
        """Take nothing more that would move an output; answers of outputs are still taken."""
        self._closing.set()

    def stop(self) -> None:
        """Take what lies in the inbox, and end. Calling it again does nothing."""
        self._stopping.set()
        self._thread.join(2.0)

    def problems(self) -> list[str]:
        """Return a sentence for each thing that a person should know of."""
        away = [f"device {d}: {state}" for d, state in sorted(self._hearing.presence.items()) if state != "online"]
        session = self._session.health()
        found = [
            self._core.held(),
            *self._core.troubles(),
            *self._core.open_lanes(),
            self._core.journal_problem,
            self._calendar.problem,
            self._file.problem if self._file is not None else "",
            *self._troubles(),
            session.reason,
            self._refused,
            *away,
        ]
        return [problem for problem in found if problem]

    # The loop's thread.

    def _run(self) -> None:
        while True:
            item = self._inbox.get(0.0 if self._stopping.is_set() else TURN_S)
            if item is None and self._stopping.is_set():
                return
            try:
                if item is not None:
                    self._on(item)
                self._on_time()
            except Exception:  # a bug must not end the thread that opens barriers; it is counted and told
                self._core.counts["faults"] += 1
                LOG.exception("gate %s: a fault of this program; it goes on", self._gate)

    def _on(self, item: Item) -> None:
        match item:
            case Received():
                self._on_received(item)
            case Moved():
                self._took["output"].add(float(item.took_ms))
                self._core.moved(item)
            case Asked() | AskedToHold() | AskedToForgive():
                self._on_asked(item)
            case Relisted(listing):
                self._core.listing = listing
                self._core.counts["relisted"] += 1
                LOG.info("the allow-list was read again: %d lines", len(listing.entries))
            case Connected(incarnation):
                self._refused = ""
                self._core.know(incarnation)
                self._beat_at_ns = self._health_at_ns = 0
            case ForeignIncarnation(incarnation):
                self._core.heard_of_us(incarnation, "online")
            case Refused(reason):
                self._refused = reason
            case _:
                pass  # disconnects and publishes are the uplink's

    def _on_received(self, received: Received) -> None:
        if received.topic.endswith("/up/presence"):
            heard = self._hearing.heard_presence(received)
            if heard is not None and heard[0] == self._gate and heard[1].incarnation != self._session.incarnation:
                self._core.heard_of_us(heard[1].incarnation, heard[1].state)
            return
        if self._closing.is_set():
            return
        announced = self._hearing.announced(received, self._clock.now().mono_ns)
        if announced is not None:
            self._core.announced(*announced)
            took_ns = self._clock.now().mono_ns - received.received_mono_ns
            self._took["decide"].add(took_ns / MILLISECOND_NS)

    def _on_asked(self, asked: Wish) -> None:
        def answered(decision: Decision) -> None:
            try:
                asked.answered({"opened": by_hand.sentence(decision)})
            except GateError as error:
                asked.answered({"error": str(error)})

        try:
            if self._closing.is_set():
                raise GateError("the controller is stopping; ask again in a moment.")
            match asked:
                case Asked(lane, reason):
                    self._core.open_by_hand(by_hand.find_lane(self._core.rules, lane), reason, answered)
                case AskedToHold(lane, reason, 0):
                    self._core.release(by_hand.find_lane(self._core.rules, lane), reason, answered)
                case AskedToHold(lane, reason, for_s):
                    self._core.hold(by_hand.find_lane(self._core.rules, lane), reason, for_s, answered)
                case AskedToForgive(plate):
                    asked.answered(by_hand.forgiven(plate, known=self._core.forgive(plate)))
        except PlatefleetError as error:
            asked.answered({"error": str(error)})

    def _on_time(self) -> None:
        now_ns = self._clock.now().mono_ns
        # A connection whose CONNACK was lost has a will at the broker too.
        self._core.note(self._session.incarnation)
        self._core.tick()
        if now_ns >= self._beat_at_ns and not self._closing.is_set():
            self._beat_at_ns = now_ns + BEAT_EVERY_MS * MILLISECOND_NS
            self._send_beats()
        if now_ns >= self._health_at_ns:
            self._health_at_ns = now_ns + HEALTH_EVERY_NS
            self._send_health()

    def _send_beats(self) -> None:
        self._beat += 1
        body = encode(Beat(gate=self._gate, n=self._beat))
        for device, beats in self._hearing.beats.items():
            # Noted before it is sent: the age that follows from it is an upper bound.
            at_ns = self._clock.now().mono_ns
            if self._session.publish(topics.beat(device), body) is not None:
                beats.sent(self._beat, at_ns)

    def _say_of_the_clock(self, now: Instant) -> None:
        """Log that the clock is not good, once until it is: nobody at the console reads health."""
        before, self._clock_is_good = self._clock_is_good, self._calendar.moment(now).day is not None
        if before and not self._clock_is_good:
            LOG.warning("%s", self._calendar.problem)

    def _send_health(self) -> None:
        now = self._clock.now()
        counts = {**self._core.counts, **self._counters()}
        counts["inbox dropped"] = self._inbox.dropped
        self._say_of_the_clock(now)
        body = report.health(
            self._calendar.moment(now).stamp,
            max(0, now.mono_ns - self._began_ns) // MILLISECOND_NS,
            took=self._took,
            counts=counts,
            problems=self.problems(),
            session=self._session.health(),
            uplink=self._stats(),
        )
        self._session.publish(topics.health(self._gate), encode(body))
