"""Camera addresses carry passwords; nothing that is logged, reported or raised may."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit, urlunsplit

_USER_INFO = re.compile(r"(?<=://)\S*@")
"""Up to the last `@` of the address, whatever stands before it: a path with an `@` in it loses its host instead."""
_SPACED = re.compile(r"(?<=://)[^\s@/:\[]*:(?!\d{1,5}(?:\W|$))[^\n@]*@")
"""A password with spaces in it: what follows the colon is no port."""
_QUERY_SECRET = re.compile(r"(?i)((?:password|passwd|pwd|pass|token|secret|key|auth)=)[^&\s\"']+")


def hide(text: str) -> str:
    """Return a text with the user info and secret parameters of every address in it replaced by stars.

    >>> hide("cannot open rtsp://admin:p@ss@10.0.0.9/live?token=abc")
    'cannot open rtsp://***@10.0.0.9/live?token=***'
    """
    return _QUERY_SECRET.sub(r"\1***", _USER_INFO.sub("***@", _SPACED.sub("***@", text)))


def misquoted(rest: str) -> str:
    """Return what must be percent-encoded in an address, without its scheme, or "" if nothing.

    >>> misquoted("admin:pa%2Fss@10.0.0.9/live"), misquoted("10.0.0.9:554/live?a=b")
    ('', '')
    >>> misquoted("admin:pa/ss@10.0.0.9/live")
    'a password with /, ? or # in it, or a path with @'
    """
    if any(character.isspace() for character in rest):
        return "a space"
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in rest and "@" not in authority:
        return "a password with /, ? or # in it, or a path with @"
    return ""


def with_credentials(url: str, username: str | None, password: str | None) -> str:
    """Return an address with a user name and password in it, quoted; without a user name it stays as it is.

    >>> with_credentials("rtsp://10.0.0.9:554/live", "admin", "p@ss/word")
    'rtsp://admin:p%40ss%2Fword@10.0.0.9:554/live'
    """
    if username is None:
        return url
    parts = urlsplit(url)
    user = quote(username, safe="") + ("" if password is None else ":" + quote(password, safe=""))
    return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc.rpartition('@')[2]}"))
