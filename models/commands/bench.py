"""`models bench`: what each artifact costs, beside what it finds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from platefleet.models.commands.terminal import AsJson, Role, StoreFolder, progress, role_of, say, store_at, table

if TYPE_CHECKING:
    from platefleet.models.bench.artifacts import Bench, Row, Spread


def mount(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: platefleet models bench --role plate --frames photos/ --plot bench.png --compare")
    def bench(  # noqa: PLR0917 - typer's signature is the command line's
        role: Role,
        frames: Annotated[Path, typer.Option(metavar="DIR", help="Pictures that are run.")],
        compare: Annotated[
            bool, typer.Option("--compare", help="Beside the runtime called by hand and ultralytics' predict.")
        ] = False,
        rounds: Annotated[int, typer.Option(min=3, max=10_000, help="Passes of each artifact.")] = 30,
        plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a plot there, as PNG.")] = None,
        store: StoreFolder = None,
        as_json: AsJson = False,
    ) -> None:
        """Measure a role's artifacts side by side; a reader's on the plates that are labelled, else found.

        An artifact whose accuracy was not measured on this device is named and left out.
        """
        from platefleet.models.acceptance.dataset import load_dataset  # noqa: PLC0415 - heavy
        from platefleet.models.artifacts.machine import machine  # noqa: PLC0415 - heavy
        from platefleet.models.bench.artifacts import bench as measure  # noqa: PLC0415 - heavy
        from platefleet.models.bench.artifacts import measurable, plain  # noqa: PLC0415 - heavy
        from platefleet.models.bench.plot import png  # noqa: PLC0415 - heavy
        from platefleet.models.bench.references import references_of  # noqa: PLC0415 - heavy
        from platefleet.models.bench.runners import pictures  # noqa: PLC0415 - heavy
        from platefleet.models.errors import ArtifactError  # noqa: PLC0415 - heavy

        here, named = store_at(store), role_of(role)
        passports = here.passports(named)
        good, _ = measurable(passports)
        with progress(f"{role} bench") as tell:
            shown = pictures(here, named, load_dataset(frames), MOST_FRAMES, tell)
            beside = [each for one in good[:1] for each in references_of(here, one)] if compare else []
            result = measure(here, passports, shown, references=beside, rounds=rounds, tell=tell)
        where = machine()
        if plot is not None:
            try:
                plot.write_bytes(png(result, f"{role} on {where.gpu or where.cpu}"))
            except OSError as error:
                raise ArtifactError(f"{plot}: cannot be written ({error.strerror}); name another file") from error
        if as_json:
            say({**plain(result), "machine": where.model_dump(mode="json")}, (), as_json=True)
            return
        table([_shown(row, reads=named == "reader") for row in result.rows])
        say(None, [*_said(result), *([] if plot is None else [f"{plot}: written"])], as_json=False)


MOST_FRAMES = 50
"""Pictures that are kept in memory: full HD ones take 300 MB."""


def _shown(row: Row, *, reads: bool) -> dict[str, Any]:
    """Return a row of the table."""
    return {
        "what": row.name,
        "ms p50/p90/p99": _three(row.total),
        "pre": "" if row.pre is None else f"{row.pre.p50:.2f}",
        "network": "" if row.inference is None else f"{row.inference.p50:.2f}",
        "post": "" if row.post is None else f"{row.post.p50:.2f}",
        "a second": ", ".join(f"{many}: {rate:.1f}" for many, rate in row.per_s.items()),
        "MB": "" if row.memory_mb is None else f"{row.memory_mb:.0f}",
        **_accuracy(row.accuracy, reads=reads),
        "verdict": row.verdict,
    }


def _accuracy(numbers: dict[str, float], *, reads: bool) -> dict[str, str]:
    """Return what an artifact finds or reads, empty for a reference that is time alone."""
    names = ("read right", "changed", "by") if reads else ("mAP50-95", "recall", "by")
    if not numbers:
        return dict.fromkeys(names, "")
    by = "labels" if numbers.get("labelled") else "agreement"
    if not reads:
        return dict(zip(names, (f"{numbers['map_50_95']:.3f}", f"{numbers['recall']:.1%}", by), strict=True))
    changed = f"{numbers.get('texts_changed', 0.0):.0f}"
    return dict(zip(names, (f"{numbers['read_right']:.1%}", changed, by), strict=True))


def _three(spread: Spread) -> str:
    return f"{spread.p50:.1f} / {spread.p90:.1f} / {spread.p99:.1f}"


def _said(result: Bench) -> list[str]:
    """Return what does not fit into the table."""
    from platefleet.models.bench.artifacts import SLOWS  # noqa: PLC0415 - heavy

    lines = [f"{result.rounds} rounds over {result.frames} frames, in turns"]
    first, then = result.before, result.after
    for name, unit in (("temperature_c", "°C"), ("power_w", "W"), ("clock_mhz", "MHz")):
        if getattr(then, name) is not None:
            lines.append(
                f"{name.rpartition('_')[0]}: {getattr(first, name)} {unit} before, {getattr(then, name)} after"
            )
    for row in result.rows:
        lines += [f"{row.name}: {_three(call)} ms with {many} at once" for many, call in row.calls.items() if many > 1]
        lines += [f"{row.name}: {times:.3f} times the time of {other}" for other, times in row.times.items()]
        if row.slows > SLOWS:
            lines.append(f"{row.name}: grew slower by {row.slows - 1:.0%} during the run; heat, or other work here")
        if row.warm_up > 2:
            lines.append(f"{row.name}: took {row.warm_up} passes to warm up")
    return [*lines, *result.left_out]
