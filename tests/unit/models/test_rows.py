"""Rows of `platefleet read`: printed one by one, and readable at 80 columns."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from platefleet.models.rows import Rows, columns

LONG = "/var/lib/car-park/2026/11/25/the-lane-behind-the-house/20261125T081500-0001.jpg"
ROW = {"plate": "51F88270", "sure": "0.99", "least": "0.95", "vehicle": "motorcycle", "box": "1 2 3 4", "ms": "512"}


def written(names: list[str], *, width: int | None, videos: bool = False) -> list[str]:
    out = io.StringIO()
    rows = Rows(out, columns(names, videos=videos, width=width))
    for name in names:
        rows.add(file=name, frame="0", **ROW)
    return out.getvalue().splitlines()


def test_a_row_is_there_as_soon_as_it_is_known_and_the_headings_before_the_first() -> None:
    out = io.StringIO()
    rows = Rows(out, columns(["a.jpg", "b.jpg"], videos=False, width=None))
    assert out.getvalue() == ""
    rows.add(file="a.jpg", **ROW)
    assert out.getvalue().splitlines() == [
        "file   plate         sure  least  vehicle     box                     ms",
        "a.jpg  51F88270      0.99   0.95  motorcycle  1 2 3 4                512",
    ]
    rows.add(file="b.jpg", plate="no plate", ms="80")
    assert out.getvalue().splitlines()[2].split() == ["b.jpg", "no", "plate", "80"]


def test_at_80_columns_every_row_is_one_line_and_shows_the_end_of_a_long_path() -> None:
    lines = written([LONG, "a.jpg"], width=80, videos=True)
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].startswith("…")
    assert "0001.jpg       0  51F88270" in lines[1]
    assert "box" not in lines[0]


def test_a_wide_terminal_shows_the_box_and_a_pipe_everything() -> None:
    assert "1 2 3 4" in written([LONG], width=160)[1]
    assert written([LONG], width=None)[1].startswith(f"{LONG}  51F88270")


@given(st.lists(st.text(max_size=120), min_size=1, max_size=4), st.integers(80, 200))
def test_no_name_breaks_a_row_or_steers_a_terminal(names: list[str], width: int) -> None:
    lines = written(names, width=width)
    assert len(lines) == len(names) + 1
    assert all(cell_len(line) <= width and line.isprintable() for line in lines)
