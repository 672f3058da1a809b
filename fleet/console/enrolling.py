"""What a new device needs, made in one step: a user at the broker, its access, a folder to copy to the device.

The broker's password file and access list are changed as a whole or not at all; the device's folder holds its password,
its configuration, the broker's CA and the root keys. A name that is enrolled already is not given another password
unless that is asked for: the device out there has the first one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificates

from platefleet.fleet.console.errors import ConsoleError
from platefleet.protocol.durable import replace_file
from platefleet.protocol.topics import checked

ITERATIONS = 101
"""What Mosquitto 2's own `mosquitto_passwd` takes (source: mosquitto, `password_common.h`); it checks at each connect,
and the passwords made here have 192 random bits."""
SALT_BYTES = 12


@dataclass(frozen=True, slots=True)
class Site:
    """What is the same for every device of a site. passwords, acl: the broker's files. ca: None: no TLS.

    zone: of the hours in which engines may be built.
    """

    host: str
    port: int
    passwords: Path
    acl: Path
    ca: Path | None
    roots: tuple[str, ...]
    zone: str = "UTC"


def hashed(password: str, salt: bytes) -> str:
    """Return a password as Mosquitto's password file has it: PBKDF2 with SHA-512.

    >>> hashed("x", bytes(12))[:24]
    '$7$101$AAAAAAAAAAAAAAAA$'
    """
    digest = hashlib.pbkdf2_hmac("sha512", password.encode("utf-8"), salt, ITERATIONS)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def with_user(passwords: str, name: str, line: str | None) -> str:
    r"""Return a password file in which a user has this line; None: in which there is no such user.

    >>> with_user("a:1\nb:2\n", "a", None)
    'b:2\n'
    """
    kept = [each for each in passwords.splitlines() if each.partition(":")[0] != name]
    return "".join(f"{each}\n" for each in (*kept, *([f"{name}:{line}"] if line is not None else ())))


def with_access(acl: str, name: str, serves: Sequence[str]) -> str:
    r"""Return an access list in which a gate reads and answers these devices and no others; none: it has no block.

    >>> print(with_access("pattern read x\n", "gate-1", ["north-1"]), end="")
    pattern read x
    <BLANKLINE>
    # gate gate-1, by `platefleet fleet enroll`
    user gate-1
    topic read alpr/1/north-1/up/plate
    topic read alpr/1/north-1/up/presence
    topic write alpr/1/north-1/down/beat
    """
    block = re.compile(rf"\n*# gate {re.escape(name)}, by [^\n]*\nuser [^\n]*\n(?:topic [^\n]*\n)*")
    rest = block.sub("\n", acl).rstrip("\n") + "\n"
    if not serves:
        return rest
    lines = [f"# gate {name}, by `platefleet fleet enroll`", f"user {name}"]
    for device in serves:
        lines += [f"topic read alpr/1/{device}/up/plate", f"topic read alpr/1/{device}/up/presence"]
        lines += [f"topic write alpr/1/{device}/down/beat"]
    return rest + "\n" + "".join(f"{line}\n" for line in lines)


def require_free(name: str, acl: str) -> None:
    r"""Raise ConsoleError for a name to which the broker gives what no device may have: an ingest worker, the console.

    >>> require_free("north-1", "user console\ntopic write alpr/1/trust")
    """
    ours = f"# gate {name}, by "
    lines = acl.splitlines()
    for before, line in zip(["", *lines], lines):  # noqa: B905 - the one before each
        if line.split() == ["user", name] and not before.startswith(ours):
            raise ConsoleError(
                f"{name}: the broker's access list gives this name its own rights; take another name, or its block out."
            )


def is_user(passwords: Path, name: str) -> bool:
    """Return whether the broker knows a user of this name. Raises ConsoleError."""
    return any(line.partition(":")[0] == name for line in _read(passwords).splitlines())


def enroll(name: str, site: Site, folder: Path, *, serves: Sequence[str] = ()) -> Path:
    """Make the user and the device's folder; return the folder. serves: makes it a gate of these devices.

    Raises ConsoleError, ProtocolError for a name that is none. The broker has to read its files again (SIGHUP).
    """
    for each in (name, *serves):
        checked(each)
    require_free(name, _read(site.acl))
    ca = None if site.ca is None else _certificates(site.ca)
    home = folder / name
    password = secrets.token_urlsafe(24)
    line = hashed(password, secrets.token_bytes(SALT_BYTES))
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(home / _password_file(serves), f"{password}\n", 0o600)
        if ca is not None:
            _replace(home / "ca.pem", ca, 0o644)
        settings = _gate(name, site, serves) if serves else _agent(name, site)
        path = home / ("gate.toml" if serves else "agent.toml")
        if path.exists() and _read(path) != settings:
            path.replace(path.with_name(f"{path.name}.before"))  # somebody may have put a camera's address into it
        _replace(path, settings, 0o644)
        if serves:
            _replace(site.acl, with_access(_read(site.acl), name, serves), 0o644)
        _replace(site.passwords, with_user(_read(site.passwords), name, line), 0o600)  # last: now it can connect
    except OSError as error:
        raise ConsoleError(f"{error.filename or home}: cannot be written ({error.strerror}).") from error
    return home


def retire(name: str, site: Site) -> bool:
    """Take the user and its access away; whether there was one. Raises ConsoleError."""
    require_free(name, _read(site.acl))
    was = is_user(site.passwords, name)
    try:
        if was:
            _replace(site.passwords, with_user(_read(site.passwords), name, None), 0o600)
        if site.acl.exists():
            _replace(site.acl, with_access(_read(site.acl), name, ()), 0o644)
    except OSError as error:
        raise ConsoleError(f"{error.filename}: cannot be written ({error.strerror}).") from error
    return was


def _agent(name: str, site: Site) -> str:
    roots = "".join(f'  "{line}",\n' for line in site.roots)
    return f"""# {name}, by `platefleet fleet enroll`. Every key: docs/settings.md.
# What is wrong here says `platefleet agent check --config agent.toml`.
device = "{name}"
{_broker(name, site, ())}
[[lanes]]
name = "entry"

[lanes.camera]
kind = "rtsp"
url = "rtsp://CAMERA:554/live"           # the camera's address; its password stands in a file of its own

[models]
store = "/var/lib/platefleet/artifacts"

[commands]
roots = [
{roots}]

[commands.window]                         # when engines may be built and measured
zone = {json.dumps(site.zone)}
spans = [{{ start = "01:00", end = "04:30" }}]
"""


def _gate(name: str, site: Site, serves: Sequence[str]) -> str:
    lanes = "".join(f'\n[[lanes]]\ndevice = "{device}"\nlane = "entry"\noutput = "barrier"\n' for device in serves)
    return f"""# {name}, by `platefleet fleet enroll`. Every key: docs/gate.md.
name = "{name}"
journal = "/var/lib/platefleet/{name}.journal"
{_broker(name, site, serves)}
[allow_list]
file = "allow.csv"

[outputs.barrier]
kind = "print"                            # for a trial; docs/gate.md has what lifts a barrier
{lanes}"""


def _password_file(serves: Sequence[str]) -> str:
    """Return the file's name: a gate may share its machine, and /etc/platefleet, with an agent."""
    return "gate.password" if serves else "broker.password"


def _broker(name: str, site: Site, serves: Sequence[str]) -> str:
    tls = "" if site.ca is None else '\n[broker.tls]\nca_file = "ca.pem"\n'
    return f"""
[broker]
host = {json.dumps(site.host)}
port = {site.port}
username = "{name}"
password_file = "{_password_file(serves)}"
{tls}"""


def _certificates(path: Path) -> str:
    """Return a file of certificates. Raises ConsoleError for one that is not there, or holds none."""
    if not path.exists():
        raise ConsoleError(f"{path}: is not there; name the file of the broker's authority with --ca.")
    text = _read(path)
    try:
        load_pem_x509_certificates(text.encode("utf-8"))
    except ValueError as error:
        raise ConsoleError(f"{path}: holds no certificate in PEM; name the file of the broker's authority.") from error
    return text


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConsoleError(f"{path}: cannot be read ({error}); name the broker's own file.") from error


def _replace(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text.encode("utf-8"), mode)
