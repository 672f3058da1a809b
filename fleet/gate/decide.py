"""What opens a barrier: one lane's next state and what to do, in order. Nothing moves before its intent is durable.

Only `Pulse` moves an output, and there is at most one for a pass, whatever comes twice, late, or out of order, and
across restarts: `replay.py` rebuilds the state from the journal. Only "not on the list" and "unread" stand, until the
next revision or (the former) a new list; everything else is judged afresh with the next announcement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from platefleet.fleet.gate.facts import (
    Announced,
    ByHand,
    Count,
    Effect,
    Event,
    Intent,
    Journal,
    LaneState,
    Moment,
    Moved,
    Opening,
    Pass,
    Pulse,
    Result,
    Rule,
    Tell,
    Tick,
    Unwritten,
)
from platefleet.fleet.gate.moments import in_utc
from platefleet.fleet.gate.verdicts import Judgement, Listing
from platefleet.protocol.clock import MILLISECOND_NS, SECOND_NS
from platefleet.protocol.messages import Decision
from platefleet.protocol.messages.decision import Phase, Verdict

AGAIN_NS = 15 * SECOND_NS
"""The same plate in the same lane so soon after an opening is the same car (DESIGN.md, "Gate controllers")."""
PASSES = 1000
"""Passes remembered a lane, acted on and others each; the one announced longest ago is forgotten first. A lane sees
some thousand vehicles a day, and only those that stand are announced at the same time."""
OPENINGS = 64
"""Openings remembered a lane; nothing opens as often in `AGAIN_NS`."""
FORGET_NS = 24 * 3600 * SECOND_NS
"""A pass not announced for a day is over: a device announces a standing vehicle every 2 s."""
SENTENCE = 512
_V = TypeVar("_V")
Step = tuple[LaneState, tuple[Effect, ...]]


def decide(  # noqa: PLR0911  # one line an event
    state: LaneState, event: Event, rule: Rule, listing: Listing, moment: Moment
) -> Step:
    """Return one lane's next state and what to do, in order."""
    match event:
        case Announced():
            return _announced(_forgotten(state, moment), event, rule, listing, moment)
        case ByHand(token, reason, output, verdict):
            rule = replace(rule, output=output or rule.output)
            decision = _decision(rule, moment, "intent", verdict, reason)
            return _intend(state, Intent(token, "", decision), rule, moment, None)
        case Moved(token) if token in state.pending:
            return _moved(state, event, moment)
        case Moved():
            return state, (Count("results late"),)
        case Unwritten(token) if token in state.pending:
            return _unwritten(state, event, moment)
        case Unwritten():
            return state, ()
        case Tick():
            return _overdue(state, rule, moment)


def _announced(state: LaneState, announced: Announced, rule: Rule, listing: Listing, moment: Moment) -> Step:
    event = announced.event
    if event.pass_id in state.acted:
        return replace(state, acted=_put(state.acted, event.pass_id, moment.mono_ns)), (Count("again"),)
    known = state.passes.get(event.pass_id) or Pass(event.revision, moment.mono_ns)
    if known.left or event.revision < known.revision:
        return state, (Count("superseded"),)
    if event.revision > known.revision:
        known = replace(known, revision=event.revision, absent_from=None, unread=False)
    known = replace(known, heard_mono_ns=moment.mono_ns)
    if event.final or event.interrupted:
        return _remember(state, event.pass_id, replace(known, left=True)), (Count("final"),)
    if known.unread or (known.absent_from is not None and known.absent_from == listing.version):
        return _remember(state, event.pass_id, known), (Count("standing"),)

    verdict, reason, plate = _verdict(state, announced, rule, listing, moment)
    say = _decision(rule, moment, "intent" if verdict == "opened" else "refusal", verdict, reason)
    decision = _about(say, announced, plate)
    if verdict == "opened" and announced.age_ms is not None:
        left_ns = (rule.age_limit_ms - announced.age_ms) * MILLISECOND_NS
        # What was told stays known, should the intent not become durable.
        state = _remember(state, event.pass_id, known)
        return _intend(state, Intent(event.pass_id, plate, decision), rule, moment, moment.mono_ns + left_ns)
    told = (event.revision, verdict)
    effects: tuple[Effect, ...] = (Count(verdict),)
    if told not in known.told:
        effects += (Tell(decision),)
    known = replace(
        known,
        absent_from=(listing.version or None) if verdict == "not on the list" else None,
        unread=verdict == "unread",
        told=known.told | {told},
    )
    return _remember(state, event.pass_id, known), effects


def _verdict(  # noqa: PLR0911  # one line a verdict, in the order of DESIGN.md
    state: LaneState, announced: Announced, rule: Rule, listing: Listing, moment: Moment
) -> tuple[Verdict, str, str]:
    """Return the verdict on a revision that may be acted on, its reason, and the list's plate that was meant."""
    event, age_ms = announced.event, announced.age_ms
    if event.direction not in rule.directions:
        return (
            "wrong direction",
            f"{event.direction}, and this lane opens for {' and '.join(sorted(rule.directions))}",
            "",
        )
    if moment.open_because:
        if event.unread is not None or not event.text:
            return "held open", f"{moment.open_because}; the plate was not read", ""
        read = listing.judge(event.text, event.characters, moment.day)
        return "held open", f"{moment.open_because}; {read.reason}", read.plate
    if event.unread is not None or not event.text:
        return "unread", f"the plate was not read: {event.unread or 'no text'}", ""
    if moment.held:
        return "another machine", moment.held, ""
    if age_ms is None:
        return "age unknown", "no beat of this gate is in it, or one from before it started", ""
    if age_ms >= rule.age_limit_ms:
        return "late", f"last seen up to {age_ms} ms ago, the limit is {rule.age_limit_ms} ms", ""
    judged = listing.judge(event.text, event.characters, moment.day)
    if judged.verdict != "opened":
        return judged.verdict, judged.reason, judged.plate
    return _listed(state, judged, rule, moment)


def _listed(state: LaneState, judged: Judgement, rule: Rule, moment: Moment) -> tuple[Verdict, str, str]:
    """Return the verdict on a plate of the list: it may come in, unless it just did or is inside."""
    for opening in reversed(state.openings):
        since_ns = moment.mono_ns - opening.mono_ns
        if opening.plate == judged.plate and since_ns < AGAIN_NS:
            ago = f"{max(0, since_ns) // MILLISECOND_NS} ms ago"
            if opening.outcome == "failed":
                return (
                    "output failed",
                    f"the output failed for {judged.plate} {ago} and is not moved again",
                    judged.plate,
                )
            return "already open", f"opened for {judged.plate} {ago}", judged.plate
    if judged.plate in moment.inside:
        inside = f"{judged.plate} went into {rule.area} at {in_utc(moment.inside[judged.plate])} and did not come out"
        if moment.inside_waits:
            return "already inside", inside, judged.plate
        return "opened", f"{judged.reason}; {inside}", judged.plate
    return "opened", judged.reason, judged.plate


def _intend(state: LaneState, intent: Intent, rule: Rule, moment: Moment, until_mono_ns: int | None) -> Step:
    """Remember the intent as done before it is: whatever fails from here on is not repeated."""
    opening = Opening(intent.token, intent.plate, moment.mono_ns)
    state = replace(
        state,
        acted=_put(state.acted, intent.token, moment.mono_ns) if intent.plate else state.acted,
        openings=(*state.openings, opening) if intent.plate else state.openings,
        pending={**state.pending, intent.token: (moment.mono_ns, intent)},
    )
    pulse = Pulse(intent.token, rule, intent.plate, until_mono_ns)
    return state, (Journal(intent), pulse, Tell(intent.decision))


def _moved(state: LaneState, moved: Moved, moment: Moment) -> Step:
    made_ns, intent = state.pending[moved.token]
    pending = {token: value for token, value in state.pending.items() if token != moved.token}
    asked = intent.decision
    verdicts: dict[str, Verdict] = {"opened": asked.verdict, "failed": "output failed", "withdrawn": "late"}
    decision = asked.model_copy(
        update={
            "phase": "result",
            "verdict": verdicts[moved.outcome],
            "reason": (moved.reason or asked.reason)[:SENTENCE],
            "decided": moment.stamp,
            "took_ms": max(0, moment.mono_ns - made_ns) // MILLISECOND_NS,
        }
    )
    trouble = state.trouble
    if moved.outcome == "opened":
        trouble = ""
    elif moved.outcome == "failed":
        trouble = f"lane {asked.device}/{asked.lane}: {decision.reason}; open it by hand if a vehicle waits"
    state = replace(settled(state, moved.token, moved.outcome), pending=pending, trouble=trouble)
    return state, (Journal(Result(moved.token, moved.outcome, decision)), Tell(decision))


def settled(state: LaneState, token: str, outcome: str) -> LaneState:
    """Return the state after an output's answer; what was withdrawn never happened, and its pass is judged afresh."""
    if outcome == "withdrawn":
        return replace(
            state,
            acted={key: value for key, value in state.acted.items() if key != token},
            openings=tuple(opening for opening in state.openings if opening.token != token),
        )
    known: dict[str, Opening] = {o.token: o for o in state.openings if o.token == token}
    if token in known:
        done = replace(known[token], outcome="opened" if outcome == "opened" else "failed")
        return replace(state, openings=tuple(done if o.token == token else o for o in state.openings))
    return state


def _unwritten(state: LaneState, unwritten: Unwritten, moment: Moment) -> Step:
    """Nothing moved: forget the intent, and say once for this revision why."""
    intent = state.pending[unwritten.token][1]
    pending = {token: value for token, value in state.pending.items() if token != unwritten.token}
    state = replace(settled(state, unwritten.token, "withdrawn"), pending=pending)
    told = (intent.decision.revision, "output failed")
    known = state.passes.get(unwritten.token)
    if known is not None:
        if told in known.told:
            return state, (Count("unwritten"),)
        state = _remember(state, unwritten.token, replace(known, told=known.told | {told}))
    update = {"phase": "refusal", "verdict": told[1], "reason": unwritten.reason[:SENTENCE], "decided": moment.stamp}
    return state, (Count("unwritten"), Tell(intent.decision.model_copy(update=update)))


def _overdue(state: LaneState, rule: Rule, moment: Moment) -> Step:
    effects: tuple[Effect, ...] = ()
    for token, (made_ns, _) in state.pending.items():
        if moment.mono_ns - made_ns >= rule.answer_within_ms * MILLISECOND_NS:
            silent = Moved(token, "failed", f"the output {rule.output} did not answer; it may have moved")
            state, more = _moved(state, silent, moment)
            effects += more
    return state, effects


def _forgotten(state: LaneState, moment: Moment) -> LaneState:
    """Drop what cannot matter any more. Both mappings are in the order of their last announcement."""
    before_ns = moment.mono_ns - FORGET_NS
    acted, passes, openings = state.acted, state.passes, state.openings
    if len(acted) > PASSES or (acted and next(iter(acted.values())) < before_ns):
        recent = list(acted.items())[-PASSES:]
        acted = {key: at_ns for key, at_ns in recent if at_ns >= before_ns}
    if len(passes) > PASSES or (passes and next(iter(passes.values())).heard_mono_ns < before_ns):
        others = list(passes.items())[-PASSES:]
        passes = {key: known for key, known in others if known.heard_mono_ns >= before_ns}
    if openings and (len(openings) > OPENINGS or moment.mono_ns - openings[0].mono_ns >= AGAIN_NS):
        openings = tuple(o for o in openings[-OPENINGS:] if moment.mono_ns - o.mono_ns < AGAIN_NS)
    return replace(state, acted=acted, passes=passes, openings=openings)


def _remember(state: LaneState, pass_id: str, known: Pass) -> LaneState:
    return replace(state, passes=_put(state.passes, pass_id, known))


def _put(mapping: Mapping[str, _V], key: str, value: _V) -> dict[str, _V]:
    """Return `mapping` with `key` as its newest."""
    return {**{k: v for k, v in mapping.items() if k != key}, key: value}


def steered(rule: Rule, moment: Moment, verdict: Verdict, reason: str) -> Decision:
    """Return the record of a lane that is held open or released where no output has to be told."""
    return _decision(rule, moment, "refusal", verdict, reason)


def _decision(rule: Rule, moment: Moment, phase: Phase, verdict: Verdict, reason: str) -> Decision:
    return Decision(
        gate=rule.gate,
        phase=phase,
        verdict=verdict,
        reason=reason[:SENTENCE],
        device=rule.device,
        lane=rule.lane,
        output=None if phase == "refusal" else rule.output,
        decided=moment.stamp,
    )


def _about(decision: Decision, announced: Announced, plate: str) -> Decision:
    event = announced.event
    update = {
        "pass_id": event.pass_id,
        "revision": event.revision,
        "text": event.text,
        "entry": plate or None,
        "age_ms": announced.age_ms,
    }
    return decision.model_copy(update=update)
