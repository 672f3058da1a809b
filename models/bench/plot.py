"""A bench as a picture: where the time goes, and what is found for it."""

from __future__ import annotations

from io import BytesIO

from platefleet.models.bench.artifacts import Bench, Row
from platefleet.models.errors import MissingExtra

STAGES = (("pre", "#7aa6c2"), ("inference", "#2f5d8a"), ("post", "#d9a441"))


def png(bench: Bench, title: str) -> bytes:
    """Return the plot as PNG: a bar of medians for each row, its p99 as a mark, throughput beside it.

    Raises MissingExtra without matplotlib.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra, loaded when used
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra('matplotlib is not installed: pip install "platefleet[engines]"') from error
    figure = Figure(figsize=(12, 1.6 + 0.6 * len(bench.rows)), layout="constrained")
    FigureCanvasAgg(figure)
    times, rates = figure.subplots(1, 2, width_ratios=(2, 1))
    for at, row in enumerate(bench.rows):
        left = 0.0
        for name, colour in STAGES:
            part = getattr(row, name)
            if part is not None:
                times.barh(at, part.p50, left=left, color=colour, label=name if at == 0 else None)
                left += part.p50
        if left < row.total.p50:
            times.barh(at, row.total.p50 - left, left=left, color="#b0b0b0")
        times.plot(row.total.p99, at, "k|", markersize=12)
        times.annotate(f" {told(row)}", (max(row.total.p99, row.total.p50), at), va="center", fontsize=8)
        if len(row.per_s) > 1:
            rates.plot(list(row.per_s), list(row.per_s.values()), marker="o", label=row.name)
    times.set_yticks(range(len(bench.rows)), [row.name for row in bench.rows])
    times.invert_yaxis()
    times.margins(x=0.5)
    times.set_xlabel("ms for one frame: median by stage, p99 as a mark")
    times.legend(loc="lower right", fontsize=8)
    times.set_title(title)
    rates.set_xlabel("frames at once")
    rates.set_ylabel("frames a second")
    if rates.get_legend_handles_labels()[0]:
        rates.legend(fontsize=7)
    file = BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return file.getvalue()


def told(row: Row) -> str:
    """Return a row's accuracy in a few words."""
    if not row.accuracy:
        return "time alone"
    by = "" if row.accuracy.get("labelled") else " (agreement)"
    if "read_right" in row.accuracy:
        changed = row.accuracy.get("texts_changed", 0)
        return f"read right {row.accuracy['read_right']:.1%}, {changed:.0f} texts changed{by}, {row.verdict}"
    return f"mAP {row.accuracy['map_50_95']:.3f}, recall {row.accuracy['recall']:.1%}{by}, {row.verdict}"
