"""Keys and trusts for a person: a table, or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from platefleet.fleet.keys.errors import KeyringError
from platefleet.fleet.keys.keyring import load_public
from platefleet.fleet.keys.place import Place
from platefleet.models.commands.terminal import say
from platefleet.protocol.messages import TrustedKey
from platefleet.protocol.moments import DAY_NS, utc_text
from platefleet.protocol.printable import printable
from platefleet.protocol.trust import Adopted, Operator, PublicKey, authorize, id_of
from platefleet.protocol.trust.state import TrustState

COLUMNS = ("name", "role", "key", "from", "until", "state")


def is_key(path: Path) -> bool:
    """Return whether a file is to be read as a key: by how its name ends, or how it begins."""
    if path.suffix in {".pub", ".pem"}:
        return True
    try:
        with path.open("rb") as file:
            return file.read(16).startswith((b"platefleet-", b"-----BEGIN"))
    except OSError as error:
        raise KeyringError(f"{path}: cannot be read ({error.strerror}); name a key or a trust file.") from error


def show_key(here: Place, path: Path, now_ns: int, *, as_json: bool) -> None:
    """Show a key, and what trusts it."""
    public = load_public(path)
    result: dict[str, Any] = {"name": public.name, "kind": public.kind, "key": public.id, "line": public.line()}
    rows, why = _of_root(here, public) if public.kind == "root" else _of_operator(here.state(), public, now_ns)
    said = {"role": public.role, "trusted": not why, "why": why, "trusted_until": None, "trust_version": None} | rows
    asks = "root" if public.kind == "root" else said["role"] if not why else f"asks for {public.role}"
    until = f", until {said['trusted_until']}" if said["trusted_until"] else ""
    lines = [f"name   {public.name}", f"key    {public.id}", f"role   {asks}"]
    lines += [f"trust  {'not trusted: ' + why if why else said['by'] + until}", public.line()]
    say(result | said, lines, as_json=as_json)


def _of_root(here: Place, public: PublicKey) -> tuple[dict[str, Any], str]:
    known = here.known_roots()
    if known is None or public.id not in known.keys:
        return {}, f"it is not in {here.roots}"
    return {"by": f"believed as a root by {here.roots}"}, ""


def _of_operator(state: TrustState, public: PublicKey, now_ns: int) -> tuple[dict[str, Any], str]:
    judged = authorize(state, public.id, now_ns)
    if not isinstance(judged, Operator):
        return {"trust_version": state.version or None}, judged.says
    found = state.adopted.find(public.id) if state.adopted else None
    if found is None or state.adopted is None:
        return {}, "no trust names it"
    until_ns = min(found.not_after_ns, state.adopted.trust.ends_at_ns)
    return {
        "name": judged.name,
        "role": judged.role,
        "by": f"trust {state.version}",
        "trust_version": state.version,
        "trusted_until": utc_text(until_ns),
        "key_until": utc_text(found.not_after_ns),
    }, ""


def show_trust(here: Place, now_ns: int, *, as_json: bool) -> None:
    """Show a trust: by whom and until when, its keys and what it revokes."""
    adopted = here.state().adopted
    if adopted is None:
        raise KeyringError(f"{here.trust}: there is no trust yet; begin one with `platefleet keys trust`.")
    trust, known = adopted.trust, here.known_roots()
    root = next((each.name for each in (known.named if known else ()) if each.id == adopted.floor.root), "")
    rows = [_row(adopted, each, now_ns) for each in trust.keys]
    left = (trust.ends_at_ns - now_ns) / DAY_NS
    when = f"ends in {left:.1f} days" if left > 0 else "HAS ENDED"
    result = {
        "trust": str(here.trust),
        "version": trust.trust_version,
        "signed_by": root,
        "root_key": adopted.floor.root,
        "issued_at": utc_text(trust.issued_at_ns),
        "ends_at": utc_text(trust.ends_at_ns),
        "ended": left <= 0,
        "keys": rows,
        "revoked": [{"key": each.key, "at": utc_text(each.revoked_at_ns)} for each in trust.revoked],
    }
    signed = f"trust {trust.trust_version}, signed by {root} at {utc_text(trust.issued_at_ns)}"
    lines = [f"{signed}, {when} ({utc_text(trust.ends_at_ns)})"]
    lines += [f"revoked {each.key} at {utc_text(each.revoked_at_ns)}" for each in trust.revoked]
    lines += [] if rows else ["nobody is trusted"]
    say(result, lines, as_json=as_json)
    if rows and not as_json:
        _table(rows)


def _row(adopted: Adopted, each: TrustedKey, now_ns: int) -> dict[str, str]:
    judged = authorize(TrustState(adopted, adopted.floor), id_of(each), now_ns)
    state = "trusted" if isinstance(judged, Operator) else judged.reason.value
    moments = (utc_text(each.not_before_ns), utc_text(each.not_after_ns))
    return dict(zip(COLUMNS, (each.name, each.role, id_of(each), *moments, state), strict=True))


def _table(rows: Sequence[dict[str, str]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - heavy
    from rich.table import Table  # noqa: PLC0415 - heavy
    from rich.text import Text  # noqa: PLC0415 - heavy

    shown = Table()
    for name in COLUMNS:
        shown.add_column(name, overflow="fold")
    for row in rows:
        short = row | {name: row[name][:16].replace("T", " ") for name in ("from", "until")}
        shown.add_row(*(Text(printable(short[name])) for name in COLUMNS))
    Console().print(shown)
