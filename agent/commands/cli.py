"""`platefleet agent status | commands | journal`: for the technician who stands at the device, without a network.

They only look, beside the agent or without it; nothing is changed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from platefleet.agent.commands.journal import Journal, Written
    from platefleet.agent.settings.tree import Settings

Config = Annotated[Path, typer.Option("--config", "-c", help="The agent's settings file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _opened(config: Path) -> tuple[Settings, Journal]:
    import os  # noqa: PLC0415 - what a command needs is imported when it runs

    from platefleet.agent.commands.assembly import journal_file  # noqa: PLC0415
    from platefleet.agent.commands.journal import Journal, JournalError  # noqa: PLC0415
    from platefleet.agent.config import load  # noqa: PLC0415

    settings = load(config, os.environ)
    path = journal_file(settings)
    if not settings.commands.roots:
        raise JournalError(f"{config}: names no root keys (commands.roots), so this device takes no commands.")
    if not path.exists():
        raise JournalError(f"{path}: there is no journal; the agent makes it when it runs for the first time.")
    return settings, Journal(path, only_look=True)


def status(config: Config, as_json: AsJson = False) -> None:
    """Say what this device is, what was chosen for it, whom it trusts, and what it does now."""
    settings, journal = _opened(config)
    from platefleet.agent.commands.assembly import journal_file  # noqa: PLC0415
    from platefleet.protocol.moments import utc_text  # noqa: PLC0415
    from platefleet.protocol.trust import roots  # noqa: PLC0415
    from platefleet.protocol.trust_file import TrustFile  # noqa: PLC0415

    known = roots(settings.commands.roots, "commands.roots")
    file = TrustFile(journal_file(settings).with_suffix(".trust"), known, set_aside=False)
    adopted = file.load().adopted
    window = journal.meta("window") or settings.commands.window.window().model_dump_json()
    told: dict[str, Any] = {
        "device": settings.device,
        "install": journal.install,
        "choices": int(journal.meta("choices") or 0),
        "window": json.loads(window),
        "desired": json.loads(journal.meta("active") or "{}"),
        "trust": None if adopted is None else adopted.trust.trust_version,
        "trust_ends": None if adopted is None else utc_text(adopted.trust.ends_at_ns),
        "active": _active(settings),
        "open": [_row(written, body) for written, body in _open(journal)],
        "problems": [*file.problems, *([known.warning] if known.warning else [])],
    }
    if as_json:
        _say(json.dumps(told, ensure_ascii=True))
        return
    trust = (
        "no trust yet: nobody may command it"
        if adopted is None
        else f"trust {told['trust']} until {told['trust_ends']}"
    )
    _say(f"{settings.device}, install {journal.install}: choices at version {told['choices']}; {trust}")
    for role, serves in told["active"].items():
        _say(f"  {role}: {serves}")
    for span in told["window"]["spans"]:
        _say(f"  window: {','.join(span['days'])} {span['start']}-{span['end']} {told['window']['zone']}")
    if not told["window"]["spans"]:
        _say("  window: never; heavy work does not begin by itself")
    for row in told["open"]:
        _say(f"  {row['command']}  {row['operation']} {row['state']}: {row['why']}")
    for problem in told["problems"]:
        _say(f"  problem: {problem}")


def commands(
    config: Config,
    only_open: Annotated[bool, typer.Option("--open", help="Those that are not over.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 30,
    as_json: AsJson = False,
) -> None:
    """List the commands this device was given or gave itself, newest first."""
    _, journal = _opened(config)
    found = _open(journal) if only_open else journal.history(limit)
    for written, body in found[:limit]:
        row = _row(written, body)
        text = f"{row['command']}  {row['operation']:<10} {row['state']:<11} {row['operator']:<16} {row['why']}"
        _say(json.dumps(row, ensure_ascii=True) if as_json else text)
    if not found and not as_json:
        _say("no command is open" if only_open else "no command came yet")


def journal(
    config: Config,
    command: Annotated[str, typer.Argument(metavar="COMMAND", help="How its id begins or ends.")],
    as_json: AsJson = False,
) -> None:
    """Show the life of one command as this device's journal has it."""
    from platefleet.agent.commands.journal import JournalError  # noqa: PLC0415
    from platefleet.protocol.codec import decode  # noqa: PLC0415
    from platefleet.protocol.messages import CommandStatus  # noqa: PLC0415
    from platefleet.protocol.moments import utc_text  # noqa: PLC0415

    _, opened = _opened(config)
    ids = [
        w.order.id for w, _ in opened.history(10_000) if w.order.id.startswith(command) or w.order.id.endswith(command)
    ]
    if len(ids) != 1:
        raise JournalError(f"{command[:40]!a}: {len(ids)} commands have such an id; see `platefleet agent commands`.")
    statuses = [decode(CommandStatus, body) for body in opened.statuses(ids[0])]
    for each in statuses:
        if as_json:
            _say(each.model_dump_json(exclude={"result"}, exclude_none=True))
            continue
        what = each.step or (each.why.says if each.why is not None else "") or each.reason
        _say(f"{utc_text(each.at.utc_ns)}  {each.number:>3}  {each.state:<11} {what}")
    if not statuses:
        _say(f"{ids[0]}: its statuses were let go of long ago; `platefleet agent commands` has the last")


def mount(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: platefleet agent status --config /etc/platefleet/agent.toml")(status)
    app.command(epilog="Example: platefleet agent commands --config /etc/platefleet/agent.toml --open")(commands)
    app.command(epilog="Example: platefleet agent journal --config /etc/platefleet/agent.toml 019ab3")(journal)


def _open(journal: Journal) -> list[tuple[Written, bytes]]:
    return [(written, journal.status(id_) or b"") for id_, written in journal.open_commands().items()]


def _row(written: Written, body: bytes) -> dict[str, Any]:
    from platefleet.protocol.moments import utc_text  # noqa: PLC0415

    life, order = written.life, written.order
    return {
        "command": order.id,
        "operation": order.operation,
        "arguments": dict(written.arguments),
        "operator": order.operator,
        "state": life.state,
        "step": life.step,
        "attempt": life.attempt,
        "why": life.why.says if life.why is not None else life.reason or life.step or "",
        "issued": utc_text(order.issued_at_ns),
        "statuses": written.number if body else 0,
    }


def _active(settings: Settings) -> dict[str, str]:
    from platefleet.models.artifacts.passport import Role  # noqa: PLC0415
    from platefleet.models.artifacts.store import ROLES, ArtifactStore  # noqa: PLC0415
    from platefleet.models.errors import ArtifactError  # noqa: PLC0415

    if settings.models.store is None:
        return {}
    store = ArtifactStore(settings.models.store)

    def serves(role: Role) -> str:
        try:
            active = store.active(role)
            if active is None:
                return "what the settings name serves"
            return f"{store.passport(role, active.key).title} {'serves' if active.confirmed else 'is on trial'}"
        except ArtifactError as error:
            return str(error)

    return {role: serves(role) for role in ROLES}


def _say(line: str) -> None:
    from platefleet.protocol.printable import printable  # noqa: PLC0415

    typer.echo(printable(line, 20_000))
