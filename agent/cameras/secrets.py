"""Camera addresses carry passwords; nothing that is logged, reported or raised may."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit, urlunsplit

_USER_INFO = re.compile(r"(?<=://)[^/\s@]*(?:@[^/\s@]*)*@")
_QUERY_SECRET = re.compile(r"(?i)((?:password|passwd|pwd|pass|token|secret|key|auth)=)[^&\s\"']+")


def hide(text: str) -> str:
    """Return a text with the user info and secret parameters of every address in it replaced by stars.

    >>> hide("cannot open rtsp://admin:p@ss@10.0.0.9/live?token=abc")
    'cannot open rtsp://***@10.0.0.9/live?token=***'
    """
    return _QUERY_SECRET.sub(r"\1***", _USER_INFO.sub("***@", text))


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
