"""How an artifact that was just activated is tried."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from platefleet.agent.settings.base import Fraction, Section
from platefleet.models.watch import Limits

_USUAL = Limits()


class TrialSettings(Section):
    """How an artifact is tried that the store says is active: in the shadow of what runs, then watched.

    A visit is one car. An artifact named although too little was measured is watched twice as long.
    """

    shadow_every: Annotated[int, Field(ge=1, le=1000)] = Field(
        5, description="the candidate looks at every so many-th frame before it serves"
    )
    shadow_frames: Annotated[int, Field(ge=1, le=100_000)] = Field(50, description="frames that both have to look at")
    false_alarm: Annotated[float, Field(gt=0, le=0.5)] = Field(
        _USUAL.false_alarm, description="the most likely that an artifact which is as good is given up"
    )
    visits: Annotated[int, Field(ge=5, le=10_000)] = Field(
        _USUAL.visits, description="after so many visits without an alarm it is confirmed"
    )
    reference: Annotated[int, Field(ge=1, le=1000)] = Field(
        _USUAL.reference, description="visits that must have been seen before the swap"
    )
    share: Fraction = Field(_USUAL.share, description="of a visit's frames that may be lost")
    confidence: Fraction = Field(_USUAL.confidence, description="confidence that a visit may lose")
    slower: Annotated[float, Field(ge=1, le=1000)] = Field(
        _USUAL.slower, description="how many times as slow it may be"
    )
    looks: Annotated[int, Field(ge=100)] = Field(
        _USUAL.looks, description="frames within which all of it is decided; too few visits by then roll back"
    )

    def limits(self, *, longer: bool = False) -> Limits:
        """Return the watch's limits. longer: too little was measured."""
        return Limits(
            false_alarm=self.false_alarm,
            visits=self.visits * (2 if longer else 1),
            reference=self.reference,
            share=self.share,
            confidence=self.confidence,
            slower=self.slower,
            looks=self.looks,
        )
