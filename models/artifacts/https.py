"""A file over HTTPS: from hosts that were named, by digest and size, resumed where it broke off, without redirects.

No proxy is taken from the environment; certificates are the system's or the named ones. What has arrived
lies in the store as `<sha256>.part` beside the mark (ETag) that its server gave it, and goes on from there next time.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from platefleet.models.errors import ArtifactError
from platefleet.models.fetching import sha256_of
from platefleet.protocol.backoff import Backoff

TIMEOUT_S = 20.0
"""Without a byte; then the connection is given up and another one goes on."""
TRIES = 5
"""In a row without a single new byte."""
MOST_BYTES = 2 << 30
"""The largest detectors and readers have half a gigabyte."""
_BLOCK = 1 << 16
_MARK_MOST = 256


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is fetched. hosts: names (with `:port` where it is not 443) that may be asked. token: sent as a bearer's."""

    url: str
    sha256: str
    size: int
    hosts: tuple[str, ...]
    ca_file: Path | None = None
    token: str = ""


def checked_url(wanted: Wanted) -> SplitResult:
    """Return the parts of the URL. Raises ArtifactError for one that may not be asked.

    >>> checked_url(Wanted("https://models.example/a.onnx", "ab" * 32, 5, ("models.example",))).path
    '/a.onnx'
    """
    try:
        parts = urlsplit(wanted.url)
        place = parts.hostname if parts.port in {None, 443} else f"{parts.hostname}:{parts.port}"
    except ValueError as error:
        raise ArtifactError(f"{wanted.url[:200]}: is no URL ({error}); give https://HOST/FILE.onnx") from error
    if parts.scheme != "https" or parts.username is not None or not parts.path.lower().endswith(".onnx"):
        raise ArtifactError(
            f"{wanted.url[:200]}: only ONNX files are fetched, over HTTPS, no password in it; give https://HOST/FILE.onnx"
        )
    if place not in wanted.hosts:
        known = ", ".join(wanted.hosts) or "none"
        raise ArtifactError(
            f"{place}: is not one of the hosts that models come from ({known}); allow it: commands.hosts or --host"
        )
    if not 0 < wanted.size <= MOST_BYTES:
        raise ArtifactError(f"{wanted.url[:200]}: {wanted.size} bytes; a model has 1 to {MOST_BYTES}")
    if len(wanted.sha256) != 64 or set(wanted.sha256) - set("0123456789abcdef"):
        raise ArtifactError(f"{wanted.sha256[:80]}: is no SHA-256 in lower-case hexadecimal; name the file's own")
    return parts


def fetch(
    wanted: Wanted,
    part: Path,
    *,
    progress: Callable[[int, int], None] = lambda _done, _size: None,
    stopping: Callable[[], bool] = lambda: False,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Bring the file to `part`, going on with what lies there. Its digest is right when this returns.

    Raises ArtifactError, one sentence, for a server that refuses, redirects, has another file, or cannot be reached,
    and for a disk that is full.
    """
    parts = checked_url(wanted)
    context = _context(wanted)
    backoff, idle = Backoff(1.0, 30.0), 0
    while (before := _have(part)) != wanted.size:
        try:
            _go_on(wanted, parts, context, part, progress, stopping)
            continue
        except ssl.SSLCertVerificationError as error:
            raise ArtifactError(
                f"{parts.netloc}: its certificate is not believed ({error.verify_message}); name its CA with --ca"
            ) from error
        except (http.client.HTTPException, OSError) as error:
            idle = 0 if _have(part) > before else idle + 1
            if idle >= TRIES:
                raise ArtifactError(
                    f"{parts.netloc}: cannot be reached ({error}); check the network, run again"
                ) from error
        pause(backoff.next_s())
    with _disk(part), part.open("rb") as file:
        found = sha256_of(file)
    if found != wanted.sha256:
        drop(part)
        raise ArtifactError(f"{wanted.url}: its SHA-256 is {found}, not {wanted.sha256}; nothing of it was kept")


def drop(part: Path) -> None:
    """Forget what has arrived."""
    part.unlink(missing_ok=True)
    _mark(part).unlink(missing_ok=True)


def _go_on(  # noqa: PLR0917 - one connection's whole circumstances
    wanted: Wanted,
    parts: SplitResult,
    context: ssl.SSLContext,
    part: Path,
    progress: Callable[[int, int], None],
    stopping: Callable[[], bool],
) -> None:
    """Ask once, for what is missing, and append it."""
    have, mark = _have(part), _read_mark(part)
    if have and not mark:  # nothing says that the server still has the same file
        drop(part)
        have = 0
    headers = {"Accept-Encoding": "identity", "User-Agent": "platefleet"}
    if wanted.token:
        headers["Authorization"] = f"Bearer {wanted.token}"
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": mark}
    connection = http.client.HTTPSConnection(
        parts.hostname or "", parts.port or 443, timeout=TIMEOUT_S, context=context
    )
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        have = _agreed(answer, wanted, have, part)
        with _disk(part):
            file = part.open("r+b" if have else "wb")
        with file:
            file.seek(have)
            while block := answer.read1(_BLOCK):
                if stopping():
                    raise ArtifactError(f"{wanted.url}: fetching was stopped; it goes on from here next time")
                if have + len(block) > wanted.size:
                    raise _larger(wanted)
                with _disk(part):
                    file.write(block)
                    file.flush()
                have += len(block)
                progress(have, wanted.size)
        if have < wanted.size:
            raise ConnectionError("the connection broke off")
    finally:
        connection.close()


def _agreed(answer: http.client.HTTPResponse, wanted: Wanted, have: int, part: Path) -> int:
    """Return where the body goes on. Raises ArtifactError for any answer but the file or the rest of it."""
    where = wanted.url
    match answer.status:
        case 200:
            have = 0
            mark = answer.getheader("ETag") or ""
            strong = mark.startswith('"') and len(mark) <= _MARK_MOST and mark.isascii() and mark.isprintable()
            with _disk(part):
                part.unlink(missing_ok=True)
                _mark(part).write_text(mark if strong else "", encoding="ascii")
        case 206:
            if answer.getheader("Content-Range") != f"bytes {have}-{wanted.size - 1}/{wanted.size}":
                drop(part)
                raise ConnectionError("the server went on somewhere else; beginning anew")
        case 416:
            drop(part)
            raise ConnectionError("the server has another file now; beginning anew")
        case status if 300 <= status < 400:
            raise ArtifactError(f"{where}: redirects elsewhere, which is not followed; give the file's own address")
        case 401 | 403:
            raise ArtifactError(f"{where}: the server refuses ({answer.status}); check the token (--token-file)")
        case 429 | 500 | 502 | 503 | 504:
            raise ConnectionError(f"the server says {answer.status}")
        case status:
            raise ArtifactError(f"{where}: the server says {status} {answer.reason[:80]}; check the address")
    if answer.getheader("Content-Encoding", "identity") != "identity":
        raise ArtifactError(f"{where}: the server sends it packed, though it was asked not to; serve the file itself")
    length = answer.getheader("Content-Length")
    if length is not None and length.isdecimal() and have + int(length) != wanted.size:
        if have + int(length) > wanted.size:
            raise _larger(wanted)
        raise ArtifactError(f"{where}: has {have + int(length)} bytes, not {wanted.size}; is it the right file?")
    return have


def _larger(wanted: Wanted) -> ArtifactError:
    return ArtifactError(f"{wanted.url}: is larger than the {wanted.size} bytes that were named; is it the right file?")


def _context(wanted: Wanted) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if wanted.ca_file is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(str(wanted.ca_file))
    except (OSError, ssl.SSLError) as error:
        raise ArtifactError(f"{wanted.ca_file}: no certificates that can be read ({error}); give PEM") from error
    return context


@contextmanager
def _disk(part: Path) -> Iterator[None]:
    """Tell the disk's troubles from the network's, which are tried again."""
    try:
        yield
    except OSError as error:
        raise ArtifactError(f"{part}: cannot be written ({error.strerror}); free some space") from error


def _have(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _mark(part: Path) -> Path:
    return part.with_suffix(".mark")


def _read_mark(part: Path) -> str:
    try:
        return _mark(part).read_text(encoding="ascii")
    except (FileNotFoundError, UnicodeDecodeError):
        return ""
