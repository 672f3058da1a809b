"""`platefleet fleet events | gaps | audit`: questions to the store, which is only read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from platefleet.fleet.questions.sheets import Form

app = typer.Typer(pretty_exceptions_enable=False)

Database = Annotated[
    str, typer.Option(envvar="PLATEFLEET_INGEST_DATABASE", help="The store that ingest commits to; it is only read.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="CSV that is safe to open in a spreadsheet.")]
Device = Annotated[str, typer.Option(help="Of this device alone.")]
Like = Annotated[bool, typer.Option("--like", help="Also what looks like it: O 0 D Q, I 1, B 8, S 5, Z 2, G 6.")]
Since = Annotated[str, typer.Option(help="Not older: 2026-11-25T08:30, with a zone such as +01:00, or 2h.")]
SQLITE_HERE = "sqlite:///store.db"


@app.command(epilog="Example: platefleet fleet events --plate B-AB1234 --like --since 2d --database sqlite:///store.db")
def events(
    *,
    plate: Annotated[str, typer.Option(help="This plate; AB12* means all that begin so.")] = "",
    like: Like = False,
    device: Device = "",
    lane: Annotated[str, typer.Option(help="Of this lane alone.")] = "",
    since: Since = "",
    until: Annotated[str, typer.Option(help="Not newer; written as --since.")] = "",
    limit: Annotated[
        int | None,
        typer.Option(min=0, help="How many, 0 for all. Without it 50 in a table, 10 before --follow, else all."),
    ] = None,
    all_revisions: Annotated[
        bool, typer.Option("--all-revisions", help="Every revision of a pass, not its newest alone.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is committed, until Ctrl-C.")] = False,
    crops: Annotated[Path | None, typer.Option(help="Write the pictures of each event into this folder.")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    database: Database = SQLITE_HERE,
) -> None:
    """Show what was seen: one row a pass, its newest revision, newest first.

    Times are when the picture was taken, in this machine's zone; JSON and CSV have UTC. "≤" before a time: the device's
    clock was not set, and the picture was taken before the store received it.
    """
    import sys  # noqa: PLC0415 - the command line imports what a command needs when it runs
    import time  # noqa: PLC0415

    from platefleet.fleet.questions.errors import Unanswerable  # noqa: PLC0415
    from platefleet.fleet.questions.events import Asked, run  # noqa: PLC0415
    from platefleet.fleet.questions.events_sql import Wanted  # noqa: PLC0415
    from platefleet.fleet.questions.plates import Plates, meant  # noqa: PLC0415
    from platefleet.fleet.questions.reading import Reader  # noqa: PLC0415
    from platefleet.protocol.clock import SystemClock  # noqa: PLC0415

    form = _form(as_json, as_csv)
    since_ns, until_ns = _moment(since, "since"), _moment(until, "until")
    if since_ns is not None and until_ns is not None and since_ns > until_ns:
        raise Unanswerable(f"since: {since[:40]!a} lies after --until {until[:40]!a}; exchange them.")
    wanted = Wanted(
        plates=meant(plate, like=like) if plate else Plates(),
        device=device,
        lane=lane,
        since_ns=since_ns,
        until_ns=until_ns,
        all_revisions=all_revisions,
    )
    usual = 10 if follow else 50 if form == "table" else 0
    asked = Asked(wanted, form, usual if limit is None else limit, follow, crops)
    with Reader(database) as reader:
        _until_interrupted(lambda: run(asked, reader, sys.stdout, _remark, clock=SystemClock(), pause=time.sleep))


@app.command(epilog="Example: platefleet fleet gaps --check --older-than 10m --since 1d --database sqlite:///store.db")
def gaps(
    *,
    device: Device = "",
    since: Annotated[str, typer.Option(help="Leave out what was told as gone, or clashed, before; as 1d.")] = "",
    older_than: Annotated[str, typer.Option(help="Leave out what is known for less time, as 10m.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Ranges that are listed of each device.")] = 100,
    check: Annotated[bool, typer.Option("--check", help="End with status 1 if anything is listed.")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    database: Database = SQLITE_HERE,
) -> None:
    """Show, for each device, which records the store lacks, since when and why.

    "expected": the device has them still. "doubtful": they were in memory only. "gone": nobody will get them. "clash":
    a second record of the same name was turned away.
    """
    import sys  # noqa: PLC0415

    from platefleet.fleet.questions.gaps_show import Asked, run  # noqa: PLC0415
    from platefleet.fleet.questions.moments import duration_ns  # noqa: PLC0415
    from platefleet.fleet.questions.reading import Reader  # noqa: PLC0415
    from platefleet.protocol.clock import SystemClock  # noqa: PLC0415

    older_ns = duration_ns(older_than, "older-than") if older_than else 0
    asked = Asked(device, _form(as_json, as_csv), _moment(since, "since"), older_ns, limit)
    with Reader(database) as reader:
        missing = run(asked, reader, sys.stdout, _remark, now_ns=SystemClock().now().utc_ns)
    if check and missing:
        raise typer.Exit(1)


@app.command(epilog="Example: platefleet fleet audit B-AB1234 --database sqlite:///store.db")
def audit(
    what: Annotated[str, typer.Argument(help="A plate, or the id of a pass.", metavar="PLATE|PASS")],
    *,
    like: Like = False,
    every: Annotated[
        bool, typer.Option("--all", help="Audit every pass that is listed, not the newest alone.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Passes of a plate that are listed.")] = 10,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    database: Database = SQLITE_HERE,
) -> None:
    """Show one pass's life: captured, read, appended, committed, decided, opened, with times and who says so.

    Of a plate the newest passes are listed, those in which any revision read it, and the newest is audited.
    """
    import sys  # noqa: PLC0415

    from platefleet.fleet.questions.audit_show import Asked, run  # noqa: PLC0415
    from platefleet.fleet.questions.reading import Reader  # noqa: PLC0415

    with Reader(database) as reader:
        run(Asked(what, like, every, limit, _form(as_json, as_csv)), reader, sys.stdout, _remark)


def _form(as_json: bool, as_csv: bool) -> Form:
    from platefleet.fleet.questions.errors import Unanswerable  # noqa: PLC0415

    if as_json and as_csv:
        raise Unanswerable("--json and --csv: one answer has one form; leave one of them out.")
    return "json" if as_json else "csv" if as_csv else "table"


def _moment(written: str, name: str) -> int | None:
    from platefleet.fleet.questions.moments import moment_ns  # noqa: PLC0415
    from platefleet.protocol.clock import SystemClock  # noqa: PLC0415

    return moment_ns(written, SystemClock().now().utc_ns, name) if written else None


def _remark(sentence: str) -> None:
    from platefleet.protocol.printable import printable  # noqa: PLC0415

    typer.echo(printable(sentence), err=True)


def _until_interrupted(ask: Callable[[], object]) -> None:
    """Run until it is done or until Ctrl-C, which is how a person ends `--follow`: status 130 and no traceback."""
    try:
        ask()
    except KeyboardInterrupt as interrupted:
        raise typer.Exit(130) from interrupted
