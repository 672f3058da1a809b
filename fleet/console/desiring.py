"""What a device should be like: from an operator's words to a desired state; and that against what the device says.

A desired state says all that is wished. What an earlier one wished and nobody chose otherwise since, the next one
wishes too; what is left out stays on the device as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError

from platefleet.fleet.console.errors import ConsoleError
from platefleet.fleet.console.known import Known
from platefleet.fleet.console.ordering import operation_of, told_arguments
from platefleet.models.operations.set_window import SetWindow, window_of
from platefleet.protocol.codec import decode
from platefleet.protocol.errors import CommandError, ProtocolError
from platefleet.protocol.messages import Desired, Envelope, Rule, Window
from platefleet.protocol.messages.desired import Role, RuleName

ROLES: tuple[Role, ...] = get_args(Role)
KEY_LENGTH = 32
LEAST_PREFIX = 6


@dataclass(frozen=True, slots=True)
class Wish:
    """What an operator asked for. active: keys by role, as typed; window: words of `set-window`; rules: None: as is."""

    active: Mapping[Role, str]
    window: Mapping[str, Any]
    rules: tuple[Rule, ...] | None = None


def wished(words: Sequence[str]) -> Wish:
    """Return what words such as `active.plate=3fa2b1`, `window.spans=23:00-04:30`, `rules=engines,benchmark:7` ask for.

    Raises ConsoleError.

    >>> wished(["active.plate=3fa2b1c0", "rules=prune:3"]).rules
    (Rule(name='prune', enabled=True, every_days=3),)
    """
    active: dict[Role, str] = {}
    hours: list[str] = []
    asked: tuple[Rule, ...] | None = None
    for word in words:
        name, equals, text = word.partition("=")
        kind, _, rest = name.partition(".")
        role = next((each for each in ROLES if each == rest), None)
        if equals and kind == "active" and role is not None:
            if role in active:
                raise ConsoleError(f"active.{role}: is given twice.")
            active[role] = text
        elif equals and kind == "window" and rest:
            hours.append(f"{rest}={text}")
        elif equals and name == "rules" and asked is None:
            asked = _rules(text)
        else:
            raise ConsoleError(
                f"{word[:60]!a}: say active.plate=KEY (or vehicle, reader), window.zone=…, window.spans=…, "
                "or rules=engines,retry,benchmark:7."
            )
    if not (active or hours or asked is not None):
        raise ConsoleError("nothing is desired; say active.plate=KEY, window.spans=23:00-04:30 or rules=engines.")
    return Wish(active, _hours(hours), asked)


def body_of(envelope: bytes) -> Desired | None:
    """Return the desired state in an envelope that the console keeps; None for what a newer release signed."""
    try:
        return decode(Desired, decode(Envelope, envelope).body)
    except ProtocolError:
        return None


def desired_of(
    device: Known, wish: Wish, before: Desired | None, keys: Mapping[Role, Sequence[str]], now_ns: int
) -> Desired:
    """Return the next desired state of a device. before: its last one; keys: of artifacts by role, to be meant.

    Raises ConsoleError for a key that is none or several, and for hours that are none.
    """
    reported = None if device.info is None else device.info.reported
    kept = (
        before if before is not None and (before.install, before.choices) == (device.install, device.choices) else None
    )
    active = dict(kept.active) if kept is not None else {}
    for role, text in wish.active.items():
        active[role] = _key(role, text, keys.get(role, ()))
    window = None if kept is None else kept.window
    if wish.window:
        window = _window(wish.window, window or (None if reported is None else reported.window) or Window())
    rules = wish.rules if wish.rules is not None else (None if kept is None else kept.rules)
    return Desired(
        device=device.name,
        install=device.install,
        choices=device.choices + 1,
        issued_at=now_ns,
        active=active,
        window=window,
        rules=rules,
    )


def changes(desired: Desired, device: Known) -> list[str]:
    """Return what a desired state changes on a device, as it reports itself."""
    reported = None if device.info is None else device.info.reported
    if reported is None:
        return ["takes no commands: no root keys in its configuration"]
    found = [
        f"{role}: {reported.active.get(role, 'nothing')[:8]} → {key[:8]}"
        for role, key in desired.active.items()
        if reported.active.get(role) != key
    ]
    if desired.window is not None and desired.window != reported.window:
        before = "nothing" if reported.window is None else hours_line(reported.window)
        found.append(f"window: {before} → {hours_line(desired.window)}")
    if desired.rules is not None and desired.rules != reported.rules:
        found.append(f"rules: {rules_line(reported.rules)} → {rules_line(desired.rules)}")
    return found


def drift(desired: Desired, device: Known) -> Iterator[str]:
    """Yield what of a device is not as desired, in its own words; and that it has not taken the desired state."""
    reported = None if device.info is None else device.info.reported
    if reported is None:
        return
    yield from reported.drift
    if device.install != desired.install:
        yield "the device was set up anew since; desire it again"
    elif reported.choices < desired.choices:
        yield f"the device is at version {reported.choices} and has not taken {desired.choices} yet"
    elif reported.choices > desired.choices:
        differing = [each for each in changes(desired, device) if each.partition(":")[0] not in _named(reported.drift)]
        yield from (f"{each.replace(' → ', ' by a newer choice, ')} was desired" for each in differing)


def hours_line(window: Window) -> str:
    """Return a window in one line.

    >>> hours_line(Window(quiet_s=60))
    'never UTC, quiet 60 s'
    """
    spans = [
        f"{'' if len(span.days) == 7 else ','.join(span.days) + ' '}{span.start}-{span.end}" for span in window.spans
    ]
    usual = Window()
    more = [f"{len(window.days_off)} days off"] if window.days_off else []
    more += [f"quiet {window.quiet_s} s"] if window.quiet_s != usual.quiet_s else []
    more += [f"grace {window.grace_s} s"] if window.grace_s != usual.grace_s else []
    return ", ".join([f"{'; '.join(spans) or 'never'} {window.zone}", *more])


def rules_line(rules: Sequence[Rule]) -> str:
    """Return the rules that are in force in one line."""
    told = (f"{rule.name}{f':{rule.every_days}' if rule.every_days else ''}" for rule in rules if rule.enabled)
    return ",".join(told) or "none"


def _named(sentences: Sequence[str]) -> set[str]:
    return {sentence.partition(":")[0] for sentence in sentences}


def _rules(text: str) -> tuple[Rule, ...]:
    rules = []
    for each in [] if text == "none" else text.split(","):
        name, _, days = each.strip().partition(":")
        try:
            rules.append(Rule.model_validate({"name": name, "every_days": int(days) if days else None}))
        except (ValidationError, ValueError) as error:
            raise ConsoleError(
                f"rules={text[:60]}: {each[:20]!a} is no rule; there are {', '.join(get_args(RuleName))}, "
                "with days as benchmark:7, or none."
            ) from error
    if len({rule.name for rule in rules}) < len(rules):
        raise ConsoleError(f"rules={text[:60]}: one stands there twice.")
    return tuple(rules)


def _hours(words: Sequence[str]) -> Mapping[str, Any]:
    operation = operation_of("set-window")
    if not words or any(word.startswith("zone=") for word in words):
        return told_arguments(operation, words) if words else {}
    told = told_arguments(operation, ["zone=UTC", *words])
    return {name: value for name, value in told.items() if name != "zone"}


def _window(told: Mapping[str, Any], base: Window) -> Window:
    """Return a window whose hours are as told and otherwise as before."""
    try:
        new = window_of(SetWindow.model_validate({"zone": base.zone, **told}))
    except CommandError as error:
        raise ConsoleError(f"{error}.") from error
    return base.model_copy(update={name: getattr(new, name) for name in ("zone", *told)})


def _key(role: Role, text: str, keys: Sequence[str]) -> str:
    """Return the key that is meant by how it begins; a whole one needs not be known here."""
    if len(text) == KEY_LENGTH and all(character in "0123456789abcdef" for character in text):
        return text
    found = sorted({key for key in keys if len(text) >= LEAST_PREFIX and key.startswith(text)})
    if len(found) == 1:
        return found[0]
    why = (
        f"{len(found)} artifacts' keys begin so; give more of it"
        if found
        else "no artifact that was heard of begins so"
    )
    raise ConsoleError(f"active.{role}={text[:40]}: {why}; a build's result and `fleet show` name keys.")
