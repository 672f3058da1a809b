"""What an ingest said, judged. Pure: acks, hosts and what was sent go in, outcomes come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from platefleet.fleet.conformance.ingest.points import (
    ASK,
    COALESCED,
    HOST,
    KEPT,
    ONLY_SENT,
    OVER_THE_RUN,
    STORE,
    Point,
    Ranges,
)
from platefleet.fleet.conformance.outcome import Outcome, judged
from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.delivery.coverage import contains, merge
from platefleet.protocol.messages import Ack, Host

ACKS_A_SECOND = 2
ACKS_BESIDE = 5
"""Acks that the edges of the run and a busy machine may add."""
TOLD_MOST = 8
Epoch = tuple[str, str]
"""(device, epoch)."""


@dataclass(frozen=True, slots=True)
class HeardAck:
    """An ack that came to `device`."""

    at_ns: int
    device: str
    ack: Ack


@dataclass(frozen=True, slots=True)
class HeardHost:
    """What was said on `host/{slot}`. retained: it lay there before this connection."""

    slot: str
    host: Host
    retained: bool


@dataclass
class Trace:
    """Everything that was seen. sent: each seq with when it first went out. nonces: of the kit's own questions."""

    acks: list[HeardAck] = field(default_factory=list)
    hosts: list[HeardHost] = field(default_factory=list)
    sent: dict[Epoch, dict[int, int]] = field(default_factory=dict)
    nonces: set[str] = field(default_factory=set)

    def covered(self, epoch: Epoch, until_ns: int = 2**63) -> Ranges:
        """Return what acks covered of an epoch."""
        device, name = epoch
        return merge(
            seqs
            for heard in self.acks
            if heard.device == device and heard.at_ns <= until_ns
            for each in heard.ack.covered
            if each.epoch == name
            for seqs in each.covered
        )

    def clashed(self, epoch: Epoch, since_ns: int = 0) -> Ranges:
        """Return what acks told as clashes of an epoch."""
        device, name = epoch
        return merge(
            seqs
            for heard in self.acks
            if heard.device == device and heard.at_ns > since_ns
            for each in heard.ack.clash
            if each.epoch == name
            for seqs in each.covered
        )


@dataclass(frozen=True)
class Played:
    """One point as it was played. asked_ns: when the answer that counts was asked for. restarted_ns, mark_ns: when."""

    point: Point
    epoch: Epoch
    other: Epoch
    mark_ns: int = 0
    asked_ns: int | None = None
    answered: Ranges | None = None
    restarted_ns: int = 2**63
    trouble: str = ""


def of_point(played: Played, trace: Trace) -> Outcome:
    """Judge one point by what was heard of its epoch."""
    expect, epoch = played.point.expect, played.epoch
    covered, clashed = trace.covered(epoch), trace.clashed(epoch)
    answered = played.answered
    problems = [
        played.trouble,
        _lacks("was not acknowledged", expect.acked, covered),
        _lacks("was not acknowledged to the other device", expect.other_acked, trace.covered(played.other)),
        _has("was acknowledged", expect.never, covered),
        _has("stands in the answer", expect.never, answered or ()),
        _lacks("was not told as a clash", expect.clashed, clashed),
        _has("was told as a clash", expect.unclashed, (*clashed, *trace.clashed(played.other))),
        _has("was told as a clash", expect.unclashed_after, trace.clashed(epoch, played.mark_ns)),
    ]
    if played.asked_ns is not None and answered is None:
        problems.append("a question was not answered")
    elif expect.answered is not None and answered is not None and answered != expect.answered:
        problems.append(f"the answer says {shown(answered)}, {shown(expect.answered)} would be right")
    if expect.kept and answered is not None:
        before = trace.covered(epoch, played.restarted_ns)
        problems.append(_lacks("was acknowledged before the ingest was killed, and is lost", before, answered))
    if played.point.name == ASK:
        problems += _foreign_nonces(trace)
    return judged(played.point.name, played.point.why, [problem for problem in problems if problem])


def over_the_run(trace: Trace, answers: Mapping[Epoch, Ranges], asked_ns: int, device: str) -> list[Outcome]:
    """Judge what no single point shows. answers: by epoch, to the last question, which was asked at `asked_ns`."""
    return [
        judged(name, OVER_THE_RUN[name], problems)
        for name, problems in (
            (HOST, _host(trace)),
            (STORE, _store(trace)),
            (ONLY_SENT, _only_sent(trace)),
            (COALESCED, _coalesced(trace, device)),
            (KEPT, _kept(trace, answers, asked_ns)),
        )
    ]


def shown(ranges: Iterable[tuple[int, int]]) -> str:
    """Return ranges for a person.

    >>> shown([(1, 3), (5, 5)]), shown([])
    ('1–3, 5', 'nothing')
    """
    parts = [str(first) if first == last else f"{first}–{last}" for first, last in ranges]
    more = f" and {len(parts) - TOLD_MOST} ranges more" if len(parts) > TOLD_MOST else ""
    return (", ".join(parts[:TOLD_MOST]) + more) or "nothing"


def _lacks(what: str, wanted: Ranges, there: Ranges) -> str:
    missing = [seq for first, last in wanted for seq in range(first, last + 1) if not contains(there, seq)]
    return f"{shown(merge((seq, seq) for seq in missing))} {what}" if missing else ""


def _has(what: str, unwanted: Ranges, there: Ranges) -> str:
    wrong = [s for first, last in unwanted for s in range(first, last + 1) if contains(merge(there), s)]
    return f"{shown(merge((seq, seq) for seq in wrong))} {what}" if wrong else ""


def _foreign_nonces(trace: Trace) -> list[str]:
    nonces = {heard.ack.answer.nonce for heard in trace.acks if heard.ack.answer} - trace.nonces
    return [f"an answer has the nonce {nonce}, which nobody asked with" for nonce in sorted(nonces)[:1]]


def _host(trace: Trace) -> list[str]:
    problems = []
    if not any(heard.retained and heard.host.committing for heard in trace.hosts):
        problems.append("no retained `host` says that somebody commits to a device that comes later")
    wrong = [heard for heard in trace.hosts if heard.host.slot != heard.slot]
    return problems + [f"host/{heard.slot} names the slot {heard.host.slot}" for heard in wrong[:1]]


def _store(trace: Trace) -> list[str]:
    stores = {heard.ack.store for heard in trace.acks}
    hosts = {heard.host.store for heard in trace.hosts}
    problems = [] if stores else ["no ack came"]
    if len(stores) > 1:
        problems.append(f"acks name {len(stores)} stores: {', '.join(sorted(stores)[:TOLD_MOST])}")
    elif hosts and not stores <= hosts:
        problems.append(f"acks name the store {min(stores)}, `host` names {', '.join(sorted(hosts)[:TOLD_MOST])}")
    return problems


def _only_sent(trace: Trace) -> list[str]:
    for heard in trace.acks:
        for each in heard.ack.covered:
            sent = trace.sent.get((heard.device, each.epoch))
            if sent is None:
                return [f"{heard.device} got an ack for the epoch {each.epoch}, of which it sent nothing"]
            here = merge((seq, seq) for seq, at_ns in sent.items() if at_ns <= heard.at_ns)
            beyond = [r for r in merge(each.covered) if not any(f <= r[0] and r[1] <= last for f, last in here)]
            if beyond:
                return [f"{heard.device} got an ack for {shown(beyond)} of an epoch of which it sent {shown(here)}"]
    return []


def _coalesced(trace: Trace, device: str) -> list[str]:
    times = [heard.at_ns for heard in trace.acks if heard.device == device]
    took_s = (times[-1] - times[0]) / SECOND_NS if times else 0.0
    if len(times) <= ACKS_A_SECOND * took_s + ACKS_BESIDE:
        return []
    return [f"{len(times)} acks in {took_s:.1f} s for {device}, at most {ACKS_A_SECOND} a second would be right"]


def _kept(trace: Trace, answers: Mapping[Epoch, Ranges], asked_ns: int) -> list[str]:
    problems: Sequence[str] = [
        _lacks(f"of {device} was acknowledged and is not in the answer", trace.covered((device, name), asked_ns), there)
        for (device, name), there in answers.items()
    ]
    return [problem for problem in problems if problem][:TOLD_MOST]
