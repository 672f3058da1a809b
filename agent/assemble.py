"""The agent that the settings describe, with everything real. Wiring only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from platefleet.agent.artifacts import frame_keeper_of, switching_of
from platefleet.agent.disk import outbox_file
from platefleet.agent.eyes import open_eyes, weights_of
from platefleet.agent.figures import Figures
from platefleet.agent.lane import Observer
from platefleet.agent.reach import broker_of
from platefleet.agent.run import Agent
from platefleet.agent.serving import Running
from platefleet.agent.settings.tree import Settings
from platefleet.agent.teller import Said
from platefleet.protocol.clock import Clock, SystemClock
from platefleet.protocol.clock_sync import clock_state
from platefleet.protocol.delivery.durable import open_outbox
from platefleet.protocol.session import Session


def assemble(
    settings: Settings,
    *,
    clock: Clock | None = None,
    observers: Sequence[Observer] = (),
    said: Said | None = None,
    begin_anew: Callable[[], None] = lambda: None,
) -> Agent:
    """Return the agent that the settings describe, with the real models, the outbox on the disk and a session.

    Raises WeightsError, ConfigError, and OutboxError if another process has the outbox; a disk that fails is told in
    health, and the outbox is in memory meanwhile.
    """
    clock = clock or SystemClock()
    started = clock.now()
    weights = weights_of(settings.models)
    broker = broker_of(settings)
    figures, running = Figures(), Running(weights.artifacts())
    switching = switching_of(settings, weights, running, figures, clock)
    return Agent(
        settings,
        session=Session(settings.device, broker, clock=clock),
        outbox=open_outbox(
            outbox_file(settings),
            clock=clock,
            quota_bytes=settings.outbox.quota_bytes,
            quota_records=settings.outbox.quota_records,
            keep_days=settings.outbox.keep_days,
            clock_state=lambda at: clock_state(at, assume_synced=settings.clock.assume_synced),
        ),
        eyes=switching.open if switching else lambda: open_eyes(settings, weights),
        figures=figures,
        running=running,
        switching=switching,
        keeper=frame_keeper_of(settings, figures, clock),
        clock=clock,
        observers=observers,
        said=said,
        started=started,
        begin_anew=begin_anew,
    )
