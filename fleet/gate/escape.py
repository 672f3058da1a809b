r"""Text that somebody else wrote, made harmless for where it is shown.

What comes over the wire, or out of a list that anybody edits, may hold escape sequences that steer a terminal,
characters that turn the reading direction round, or a formula that a spreadsheet runs when the file is opened.

>>> for_terminal("AB\x1b[2J12")
'AB\\x1b[2J12'
>>> for_csv("=1+1")
"'=1+1"
"""

from __future__ import annotations

from platefleet.protocol.messages import Decision
from platefleet.protocol.printable import printable

FORMULA = "=+-@\t\r\n|%"
"""What a cell may not begin with (source: OWASP, "CSV Injection"; `|` and `%` are older programs' own)."""

SAID = {
    ("intent", "opened"): "is to be opened",
    ("intent", "by hand"): "is to be opened by hand",
    ("intent", "held open"): "is to be held open",
    ("intent", "released"): "is to be released",
    ("result", "by hand"): "opened by hand",
}
"""What is said in place of a verdict that does not say what happens."""


def for_terminal(text: str, most: int = 200) -> str:
    """Return `text` on one line, at most `most` long, with every character that is not printable as its escape."""
    return printable(text, most)


def for_csv(text: str) -> str:
    """Return `text` as a cell that no spreadsheet takes for a formula; quoting is the CSV writer's work.

    >>> for_csv("Müller"), for_csv("+49 30 1234")
    ('Müller', "'+49 30 1234")
    """
    clean = for_terminal(text)
    return f"'{clean}" if is_formula(text) else clean


def is_formula(text: str) -> bool:
    """Return whether a spreadsheet might run `text` instead of showing it.

    >>> is_formula(" =SUM(A1)"), is_formula("a=b")
    (True, False)
    """
    return text.lstrip(" ")[:1] in FORMULA if text.strip(" ") else False


def line(decision: Decision) -> str:
    """Return a decision as one line for a terminal; what a camera read is escaped.

    What is meant and what came of it are two lines of one opening, so they do not read alike.
    """
    where = f"{decision.device}/{decision.lane}" if decision.device else decision.lane
    what = SAID.get((decision.phase, decision.verdict), decision.verdict)
    return for_terminal(f"{where} {what}: {f'{decision.text} ' if decision.text else ''}({decision.reason})", 400)
