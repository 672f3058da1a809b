"""What was chosen for this device: window, rules, artifacts; by commands, by the desired state, or by its settings.

All of it has one version, which rises with each change; an older desired state never undoes a newer choice.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import TypeAdapter

from platefleet.agent.commands.clerk import NOTHING, Clerk
from platefleet.agent.commands.journal import Journal
from platefleet.protocol.messages import Desired, Rule, Window

_WINDOW, _RULES, _ACTIVE = "window", "rules", "active"
_RULES_TYPE: TypeAdapter[tuple[Rule, ...]] = TypeAdapter(tuple[Rule, ...])
_ACTIVE_TYPE: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])


class Choices:
    """Reads what was chosen from the journal; any thread may ask."""

    def __init__(self, journal: Journal, clerk: Clerk, *, window: Window, rules: tuple[Rule, ...]) -> None:
        """window, rules: as the settings have them, until something else is chosen."""
        self._journal, self._clerk = journal, clerk
        kept_window, kept_rules, kept_active = (journal.meta(name) for name in (_WINDOW, _RULES, _ACTIVE))
        self._window = Window.model_validate_json(kept_window) if kept_window else window
        self._rules = _RULES_TYPE.validate_json(kept_rules) if kept_rules else rules
        self._active = _ACTIVE_TYPE.validate_json(kept_active) if kept_active else {}

    @property
    def version(self) -> int:
        """Their version."""
        return self._clerk.choices

    @property
    def window(self) -> Window:
        """The window in force."""
        return self._window

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in force."""
        return self._rules

    @property
    def active(self) -> Mapping[str, str]:
        """The artifact that the newest desired state wants for each role, by key."""
        return self._active

    def set_window(self, window: Window) -> None:
        """Put another window in force; its command has raised the version. Raises JournalError."""
        self._journal.remember({_WINDOW: window.model_dump_json()})
        self._window = window

    def forget_active(self, role: str) -> None:
        """Let go of what was desired for a role: a command chose something else since. Raises JournalError."""
        if role in self._active:
            active = {other: key for other, key in self._active.items() if other != role}
            self._journal.remember({_ACTIVE: _ACTIVE_TYPE.dump_json(active).decode()})
            self._active = active

    def adopt(self, desired: Desired, also: Mapping[str, str] = NOTHING) -> bool:
        """Put a desired state in force if it is newer than what was chosen; whether it is. Raises JournalError.

        also: what is remembered with it or not at all.
        """
        if desired.choices <= self.version:
            return False
        active: dict[str, str] = {role: key for role, key in desired.active.items()}  # noqa: C416 - other keys' type
        values = {**also, _ACTIVE: _ACTIVE_TYPE.dump_json(active).decode()}
        if desired.window is not None:
            values[_WINDOW] = desired.window.model_dump_json()
        if desired.rules is not None:
            values[_RULES] = _RULES_TYPE.dump_json(desired.rules).decode()
        self._clerk.choose(desired.choices, values)
        self._window, self._active = desired.window or self._window, active
        self._rules = self._rules if desired.rules is None else desired.rules
        return True
