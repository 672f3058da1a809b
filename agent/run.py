"""The agent put together: cameras, models, passes, outbox, uplink. Wiring only."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

from platefleet.agent import notes
from platefleet.agent.cameras.lockstep import EveryFrameReader
from platefleet.agent.cameras.port import Over, Picture
from platefleet.agent.cameras.reader import CameraReader, Patience
from platefleet.agent.cameras.record import CameraRecord
from platefleet.agent.commands.assembly import commands_of, subscriptions
from platefleet.agent.commands.holder import Holder
from platefleet.agent.detection import WAITING, Detection, Seen
from platefleet.agent.eyes import OpenEyes
from platefleet.agent.figures import Figures
from platefleet.agent.following import Following
from platefleet.agent.health import HealthReport, news
from platefleet.agent.lane import LaneWatch, Observer
from platefleet.agent.newest import Newest
from platefleet.agent.own_frames import FrameKeeper
from platefleet.agent.passes.types import PassSettings
from platefleet.agent.serving import Running
from platefleet.agent.settings.cameras import works_through_every_frame
from platefleet.agent.settings.lanes import Lane
from platefleet.agent.settings.tree import Settings
from platefleet.agent.supervisor import Run, Supervisor
from platefleet.agent.switching import Switching
from platefleet.agent.teller import Said, Teller
from platefleet.protocol import topics
from platefleet.protocol.clock import Clock, Instant, SystemClock
from platefleet.protocol.clock_sync import clock_state, stamped
from platefleet.protocol.delivery.install import install_id
from platefleet.protocol.delivery.outbox import Outbox
from platefleet.protocol.delivery.uplink import Uplink
from platefleet.protocol.ids import LaneId
from platefleet.protocol.messages import Health, Stamp
from platefleet.protocol.session import Connected, Event, Received, Session

LOG = logging.getLogger(__name__)
MODELS_S = 120.0
"""Opening models takes a second or two, on a small board that does it for the first time a minute."""
WORKERS = ("commands", "switching", "own frames", "health")
"""Nobody waits for what they do."""
COVER_S = 0.4
"""What the last revisions get to reach the store when the agent stops."""


class Agent:
    """One device's agent over parts that are handed in. `start` once, `stop` once."""

    def __init__(
        self,
        settings: Settings,
        *,
        session: Session,
        outbox: Outbox,
        eyes: OpenEyes,
        figures: Figures | None = None,
        running: Running | None = None,
        switching: Switching | None = None,
        keeper: FrameKeeper | None = None,
        clock: Clock | None = None,
        observers: Sequence[Observer] = (),
        said: Said | None = None,
        started: Instant | None = None,
        begin_anew: Callable[[], None] = lambda: None,
    ) -> None:
        """session: not started. eyes: opens the models. observers: are shown every picture that was worked through.

        said: hears each event that is told, once, on the thread that tells it.

        running: what the models are. switching: whose `open` is `eyes`, where artifacts may take their place.
        keeper: keeps some of what was seen. begin_anew: asks the program to end and be started again.

        started: when this run began, before a large outbox was checked: whose car may still stand is judged by it.
        """
        self._settings, self._session, self._outbox = settings, session, outbox
        self._clock, self._said = clock or SystemClock(), said
        self._began = started or self._clock.now()
        self._running, self._switching, self._keeper = running or Running(), switching, keeper
        self._boot = self._clock.boot
        self.figures = figures or Figures()
        self._supervisor = Supervisor(self._clock, self.figures)
        lanes = [lane.name for lane in settings.lanes]
        self._newest: Newest[Picture | Over] = Newest(lanes)
        self._records = {lane: CameraRecord(lane) for lane in lanes}
        seen: queue.Queue[Seen] = queue.Queue(WAITING)
        polygons = {lane.name: lane.corners() for lane in settings.lanes}
        self._detection = Detection(
            self._newest, seen, eyes, polygons=polygons, figures=self.figures, clock=self._clock
        )
        self.uplink = Uplink(
            session,
            outbox,
            clock=self._clock,
            live_limit_ms=settings.outbox.live_limit_ms,
            on_event=self._on_event,
            on_message=self._on_message,
            store=settings.outbox.store,
        )
        self._commands = self._commands_of(begin_anew)
        observers = [
            *observers,
            *([keeper.watch] if keeper else []),
            *([self._commands.watch] if self._commands else ()),
        ]
        self._watches = {
            lane.name: self._watch(lane.name, lane.pass_settings(settings.passes), observers) for lane in settings.lanes
        }
        self._following = Following(seen, self._watches, self.figures)
        self._report = HealthReport(
            settings,
            cameras=list(self._records.values()),
            newest=self._newest,
            outbox=outbox,
            figures=self.figures,
            supervisor=self._supervisor,
            stamp=self._stamp,
            clock=self._clock,
        )
        self._tell_health = threading.Event()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Open the models, then start everything. Raises ModelError if they cannot be opened; nothing runs then."""
        self._supervisor.start("detection", self._detection.run)
        self._detection.opened.wait(MODELS_S)
        if self._detection.refused is not None:
            self._supervisor.stop("detection", 1.0)
            raise self._detection.refused
        self._tell_info()
        self._resume()
        self.uplink.start()
        self._supervisor.start("following", self._following.run)
        if self._switching is not None:
            self._switching.changed = self._tell_info
            self._supervisor.start("switching", self._switching.run)
        if self._keeper is not None:
            self._supervisor.start("own frames", self._keeper.run)
        if self._commands is not None:
            self._supervisor.start("commands", self._commands.run)
        self._supervisor.start("health", self._tell_of_health)
        for lane in self._settings.lanes:
            self._supervisor.start(_camera(lane), self._reader(lane))
        LOG.info("agent %s runs: %s", self._settings.device, ", ".join(self._records))

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Stop everything within `timeout_s`; whether every thread ended. Told passes stay open for the next start."""
        if self._stopped.is_set():
            return True
        self._stopped.set()
        self._tell_health.set()
        ends = time.monotonic() + timeout_s
        cameras = [_camera(lane) for lane in self._settings.lanes]
        self._supervisor.let_go(*cameras, "detection", *WORKERS)
        if self._commands is not None:
            self._commands.wake()
        ended = True
        for name in ("detection", "following", *cameras, *WORKERS):
            ended &= self._supervisor.stop(name, max(0.05, min(timeout_s / 2, ends - COVER_S - time.monotonic())))
        if self._session.health().state == "online":
            self.uplink.wait_covered(max(0.0, min(COVER_S, ends - time.monotonic() - 0.2)))
        self.uplink.stop(max(0.2, ends - time.monotonic()))
        self._outbox.close()
        if self._commands is not None:
            self._commands.close()
        LOG.info("agent %s stopped", self._settings.device)
        return ended

    def wait_over(self, timeout_s: float) -> bool:
        """Wait until every lane's file came to its end and was worked through; cameras never do."""
        return self._following.over.wait(timeout_s)

    def health(self) -> Health:
        """Return how the device is doing now."""
        return self._report.health(self.uplink.stats, self._session.health())

    def hung(self) -> list[str]:
        """Return the names of threads that hang."""
        return self._supervisor.hung()

    def _resume(self) -> None:
        """Go on with the passes that an earlier run left open; those of lanes that are no more are closed."""
        started = self._stamp(self._began)
        by_lane: dict[str, dict[str, bytes]] = {}
        for name, data in self._outbox.kept(notes.PREFIX).items():
            by_lane.setdefault(notes.lane_of(name), {})[name] = data
        for lane, kept in by_lane.items():
            watch = self._watches.get(lane)
            if watch is None:
                watch = self._watch(lane, PassSettings(), ())
                watch.resume(kept, started)
                watch.stop()
            else:
                watch.resume(kept, started)

    def _watch(self, lane: LaneId, settings: PassSettings, observers: Sequence[Observer]) -> LaneWatch:
        teller = Teller(
            lane,
            self._outbox,
            self.uplink,
            stamp=self._stamp,
            artifacts=self._running.names,
            settings=self._settings.crops,
            figures=self.figures,
            clock=self._clock,
            said=self._said,
        )
        return LaneWatch(
            lane,
            settings,
            teller,
            seed=f"{self._settings.device}/{self._outbox.epoch}",
            figures=self.figures,
            clock=self._clock,
            observers=observers,
        )

    def _reader(self, lane: Lane) -> Run:
        record, camera = self._records[lane.name], lane.camera
        if works_through_every_frame(camera):
            return EveryFrameReader(camera.options, self._newest, record, self._clock).run
        patience = Patience(camera.open_timeout_s, camera.stall_timeout_s)
        return CameraReader(camera.options, self._newest, record, self._clock, patience=patience).run

    def _commands_of(self, begin_anew: Callable[[], None]) -> Holder | None:
        if not self._settings.commands.roots:
            return None
        self._session.subscribe(subscriptions(self._settings.device))
        return Holder(
            lambda: commands_of(
                self._settings,
                self._outbox,
                live=self.uplink.tell,
                send=self.uplink.send,
                diagnosis=lambda: self.health().model_dump(mode="json", exclude_none=True),
                begin_anew=begin_anew,
                changed=self._tell_info,
                stamp=lambda: self._stamp(self._clock.now()),
                boot=self._boot,
                clock=self._clock,
                figures=self.figures,
            ),
            self.figures,
            self._tell_info,
        )

    def _on_message(self, received: Received) -> None:
        if self._commands is not None:
            self._commands.on_message(received)

    def _tell_info(self) -> None:
        install = "" if self._commands else install_id(self._outbox)
        info = self._report.info(self._running.infos(), install)
        if self._commands is not None:
            info = self._commands.completed(info)
        self.uplink.send(topics.info(self._settings.device), info, qos=1, retain=True)

    def _stamp(self, instant: Instant) -> Stamp:
        assume = self._settings.clock.assume_synced
        return stamped(instant, self._boot, clock_state(instant, assume_synced=assume))

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Connected):
            self._tell_health.set()

    def _tell_of_health(self, stop: threading.Event, alive: Callable[[], None]) -> None:
        """Tell health at every connection and every interval; a worker of the supervisor."""
        topic = topics.health(self._settings.device)
        told_ns: int | None = None
        told: frozenset[str] = frozenset()
        while not stop.is_set():
            alive()
            asked = self._tell_health.wait(0.5)
            now_ns = self._clock.now().mono_ns
            if stop.is_set() or not (
                asked or told_ns is None or now_ns - told_ns >= self._settings.health.interval_s * 1e9
            ):
                continue
            self._tell_health.clear()
            health = self.health()
            self.uplink.send(topic, health)
            told_ns = now_ns
            told, new = news(told, health.problems)
            for problem in new:
                LOG.warning("problem: %s", problem)


def _camera(lane: Lane) -> str:
    return f"camera {lane.name}"
