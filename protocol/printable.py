"""Text that somebody else wrote, made harmless for a terminal and a log."""

from __future__ import annotations


def printable(text: str, most: int = 2000) -> str:
    r"""Return `text` on one line, at most `most` long, with every character that could steer a terminal as its escape.

    Not printable are control characters, line ends, the marks that turn the direction of writing, and lone surrogates
    (source: `str.isprintable`, Unicode categories "Other" and "Separator" without the space).

    >>> printable("AB\x1b[2J\u202e12")
    'AB\\x1b[2J\\u202e12'
    """
    cut = text if len(text) <= most else text[: most - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in cut)
