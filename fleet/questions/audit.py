"""One pass's life as steps in time: who says that what happened when. Pure: facts in, steps out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from platefleet.fleet.questions.clocks import Boot, When, when
from platefleet.protocol.clock import MILLISECOND_NS
from platefleet.protocol.messages import Decision, PlateEvent, Stamp

ORDER = ("captured", "read", "appended", "committed", "decided", "opened", "failed", "refused")
"""What can only happen after what, where two machines' clocks say the same or nothing."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened. who: the machine whose clock it is. revision: 0 where it is of none.

    after_ns: since the step before it, None for the first and where the two clocks cannot be compared.
    """

    what: str
    at: When
    who: str
    revision: int
    detail: str = ""
    after_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """One record as the store has it. received_ns: UTC. body: None if this release cannot read it."""

    device: str
    body: PlateEvent | Decision | None
    received_ns: int


def life(records: Iterable[Kept], store: str, boots: Mapping[Boot, int]) -> tuple[Step, ...]:
    """Return the steps of a pass in time. boots: UTC minus monotonic time, where a device learned it late.

    Steps of which nobody knows the time come first, in the order in which such things happen.
    """
    steps: list[Step] = []
    for kept in records:
        body = kept.body
        match body:
            case PlateEvent():
                steps += _read(kept, body, boots)
                detail = f"the record of {kept.device}"
            case Decision():
                steps += _decided(kept, body, boots)
                detail = f"the decision of {kept.device}"
            case _:
                detail = f"a record of {kept.device} that this release cannot read"
        revision = 0 if body is None else body.revision
        steps.append(Step("committed", When(kept.received_ns, sure=True), store, revision, detail))
    ordered = sorted(steps, key=_place)
    return tuple(
        replace(step, after_ns=None if before is None else between(before.at, step.at, before.who == step.who))
        for before, step in zip([None, *ordered], ordered, strict=False)
    )


def between(before: When, after: When, same_machine: bool) -> int | None:
    """Return the nanoseconds from one moment to another; one machine's own in one boot need no clock that is set.

    >>> between(When(5, sure=False, mono_ns=100, boot="b"), When(9, sure=False, mono_ns=160, boot="b"), True)
    60
    """
    if same_machine and before.boot and before.boot == after.boot and None not in {before.mono_ns, after.mono_ns}:
        return (after.mono_ns or 0) - (before.mono_ns or 0)
    return after.utc_ns - before.utc_ns if before.sure and after.sure else None


def _read(kept: Kept, event: PlateEvent, boots: Mapping[Boot, int]) -> Iterator[Step]:
    def at(stamp: Stamp) -> When:
        return when(stamp, boots.get((kept.device, stamp.boot)))

    read = "interrupted" if event.interrupted else "final" if event.final else ""
    seen = event.text or event.unread or "no plate"
    captured = at(event.captured)
    yield Step("captured", captured, kept.device, event.revision, f"lane {event.lane}, {event.direction}")
    took_ns = int(sum(event.ms.get(stage, 0.0) for stage in ("wait", "total")) * MILLISECOND_NS)
    told = None if event.told is None else at(event.told)
    if took_ns > 0 and (told is None or captured.utc_ns + took_ns <= told.utc_ns):
        mono_ns = None if captured.mono_ns is None else captured.mono_ns + took_ns
        done = replace(captured, utc_ns=captured.utc_ns + took_ns, mono_ns=mono_ns)
        yield Step(
            "read", done, kept.device, event.revision, f"{seen}, mean {event.mean:.2f}, least {event.minimum:.2f}"
        )
    if told is not None:
        yield Step("appended", told, kept.device, event.revision, ", ".join(filter(None, (seen, read))))


def _decided(kept: Kept, decision: Decision, boots: Mapping[Boot, int]) -> Iterator[Step]:
    at = when(decision.decided, boots.get((kept.device, decision.decided.boot)))
    what = {"intent": "decided", "refusal": "refused"}.get(decision.phase, "")
    if not what:
        what = "failed" if decision.verdict == "output failed" else "opened"
    age = "" if decision.age_ms is None else f", seen {decision.age_ms} ms before"
    took = f", the output took {decision.took_ms} ms" if decision.took_ms else ""
    meant = "open" if (what, decision.verdict) == ("decided", "opened") else decision.verdict
    detail = f"{meant}: {decision.reason}{age}{took}"
    yield Step(what, at, kept.device, decision.revision, detail)


def _place(step: Step) -> tuple[bool, int, int, int]:
    rank = ORDER.index(step.what)
    if step.at.sure:
        return True, step.at.utc_ns, step.revision, rank
    return False, step.revision, rank, step.at.mono_ns or 0


def verdict(steps: Sequence[Step]) -> str:
    """Return what became of the pass, in one sentence.

    >>> verdict([Step("appended", When(1, sure=True), "north-1", 1)])
    'no gate has told of it'
    """
    opened = [step for step in steps if step.what == "opened"]
    if opened:
        first = opened[0]
        began = next((s.at for s in steps if s.what == "captured" and s.at.sure), None)
        took = (
            ""
            if began is None or not first.at.sure
            else f", {(first.at.utc_ns - began.utc_ns) / 1e9:.2f} s after it was captured"
        )
        more = f"; {len(opened)} openings" if len(opened) > 1 else ""
        return f"opened by {first.who}{took}{more}"
    failed = [step for step in steps if step.what == "failed"]
    if failed:
        return f"not opened: the output of {failed[-1].who} failed"
    refused = [step for step in steps if step.what == "refused"]
    if refused:
        return f"not opened: {refused[-1].who} says {refused[-1].detail}"
    decided = [step for step in steps if step.what == "decided"]
    return f"{decided[-1].who} decided and has told no result" if decided else "no gate has told of it"
