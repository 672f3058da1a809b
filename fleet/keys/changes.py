"""Changes to a trust, as pure functions: each returns the next version, or says why there is none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from platefleet.fleet.keys.errors import KeyringError
from platefleet.protocol.messages import RevokedKey, Trust, TrustedKey
from platefleet.protocol.messages.trust import KEYS_LIMIT, REVOKED_LIMIT, KeyRole
from platefleet.protocol.moments import DAY_NS, utc_text
from platefleet.protocol.trust import LONGEST_NS, PublicKey, id_of

TRUST_DAYS = LONGEST_NS // DAY_NS
KEY_DAYS = 365
KEY_DAYS_MOST = 1096
"""Three years, a leap one among them: a key that nobody made new for so long is a forgotten one."""
OVERLAP_DAYS = 7


@dataclass(frozen=True, slots=True)
class Change:
    """The next version of a trust, before it is signed. told: what is different, a line each."""

    before: Trust | None
    now_ns: int
    keys: tuple[TrustedKey, ...]
    revoked: tuple[RevokedKey, ...]
    told: tuple[str, ...] = ()

    def trust(self, days: int) -> Trust:
        """Return the trust, issued now, that ends in as many days. Raises KeyringError for too many keys."""
        checked_days("--days", days, TRUST_DAYS)
        if len(self.keys) > KEYS_LIMIT:
            raise KeyringError(f"{len(self.keys)} keys; a trust has at most {KEYS_LIMIT}, revoke those not in use.")
        return Trust(
            trust_version=1 if self.before is None else self.before.trust_version + 1,
            issued_at_ns=self.now_ns,
            ends_at_ns=self.now_ns + days * DAY_NS,
            keys=self.keys,
            revoked=self.revoked[-REVOKED_LIMIT:],
        )


def begun(before: Trust | None, now_ns: int) -> Change:
    """Return a change that as yet only leaves out the keys that have ended. Raises KeyringError for a clock behind."""
    if before is None:
        return Change(None, now_ns, (), ())
    if now_ns < before.issued_at_ns:
        raise KeyringError(
            f"trust {before.trust_version} was issued at {utc_text(before.issued_at_ns)}, but here it is "
            f"{utc_text(now_ns)}; set this machine's clock."
        )
    keys = tuple(each for each in before.keys if each.not_after_ns > now_ns)
    ended = tuple(
        f"{each.name}: the key {id_of(each)} ended at {utc_text(each.not_after_ns)} and is left out"
        for each in before.keys
        if each.not_after_ns <= now_ns
    )
    return Change(before, now_ns, keys, before.revoked, ended)


def added(change: Change, key: PublicKey, role: KeyRole | None, days: int) -> Change:
    """Return the change with an operator's key added, or one that is trusted already renewed for as many days.

    role: None: as the key's line asks. Raises KeyringError for a root key, a name that has another key, a revoked key.
    """
    _usable(change, key)
    checked_days("--key-days", days, KEY_DAYS_MOST)
    same = next((each for each in change.keys if each.key == key.raw), None)
    if same is None and any(each.name == key.name for each in change.keys):
        raise KeyringError(f"{key.name}: this name has another key already; replace it with `platefleet keys rotate`.")
    given = role or (key.role if same is None else same.role) or "operator"
    name = key.name if same is None else same.name
    since_ns = change.now_ns if same is None else same.not_before_ns
    new = _trusted(key, name, given, since_ns, change.now_ns + days * DAY_NS)
    rest = tuple(each for each in change.keys if each is not same)
    what = "trusted" if same is None else "renewed"
    line = f"{name}: {what} as {given} until {utc_text(new.not_after_ns)} ({key.id})"
    return replace(change, keys=(*rest, new), told=(*change.told, line))


def rotated(change: Change, key: PublicKey, role: KeyRole | None, days: int, overlap_days: int) -> Change:
    """Return the change with a new key of somebody who is trusted; the keys before it end after the overlap.

    role: None: the one of the keys before. Raises KeyringError.
    """
    _usable(change, key)
    checked_days("--key-days", days, KEY_DAYS_MOST)
    checked_days("--overlap-days", overlap_days, TRUST_DAYS, least=0)
    mine = [each for each in change.keys if each.name == key.name]
    if not mine:
        raise KeyringError(f"{key.name}: nobody of this name is trusted; add the key with `platefleet keys trust`.")
    if any(each.key == key.raw for each in mine):
        raise KeyringError(f"{key.name}: this key is trusted already; make a new one with `platefleet keys new`.")
    ends_ns = change.now_ns + overlap_days * DAY_NS
    rest = [each for each in change.keys if each.name != key.name]
    old = (
        [each.model_copy(update={"not_after_ns": min(each.not_after_ns, ends_ns)}) for each in mine]
        if overlap_days
        else []
    )
    given = role or mine[-1].role
    new = _trusted(key, key.name, given, change.now_ns, change.now_ns + days * DAY_NS)
    lines = [f"{key.name}: trusted as {given} until {utc_text(new.not_after_ns)} ({key.id})"]
    lines += [f"{key.name}: the key {id_of(each)} ends at {utc_text(each.not_after_ns)}" for each in old]
    return replace(change, keys=(*rest, *old, new), told=(*change.told, *lines))


def revoked(change: Change, who: str) -> Change:
    """Return the change without the keys of a name, or without one by its id, and with their revocation.

    Raises KeyringError if nothing is trusted under it.
    """
    by_id = re.fullmatch("[0-9a-f]{32}", who) is not None
    gone = [each for each in change.keys if each.name == who or (by_id and id_of(each) == who)]
    if not gone:
        known = ", ".join(sorted({each.name for each in change.keys})) or "nobody"
        again = any(each.key == who for each in change.revoked)
        raise KeyringError(
            f"{who[:64]!a}: is revoked already."
            if again
            else f"{who[:64]!a}: no trusted key has this name or id; trusted are {known}."
        )
    entries = [RevokedKey(key=id_of(each), revoked_at_ns=change.now_ns) for each in gone]
    lines = [f"{each.name}: the key {id_of(each)} is revoked" for each in gone]
    rest = tuple(each for each in change.keys if each not in gone)
    return replace(change, keys=rest, revoked=(*change.revoked, *entries), told=(*change.told, *lines))


def ends_soon(trust: Trust) -> Sequence[str]:
    """Return a sentence for each key that ends before the trust does."""
    return [
        f"{each.name}: the key ends at {utc_text(each.not_after_ns)}, before the trust does; renew or rotate it in time"
        for each in trust.keys
        if each.not_after_ns < trust.ends_at_ns
    ]


def checked_days(option: str, days: int, most: int, *, least: int = 1) -> None:
    """Raise KeyringError for a number of days out of range."""
    if not least <= days <= most:
        raise KeyringError(f"{option}: {days} days cannot be used; {least} to {most} would be right.")


def _usable(change: Change, key: PublicKey) -> None:
    if key.kind == "root":
        raise KeyringError(f"{key.name}: a root key signs the trust and nothing else; make an operator's key.")
    if any(each.key == key.id for each in change.revoked):
        raise KeyringError(f"{key.name}: the key {key.id} was revoked and stays so; make a new one.")


def _trusted(key: PublicKey, name: str, role: KeyRole, since_ns: int, until_ns: int) -> TrustedKey:
    return TrustedKey(key=key.raw, name=name, role=role, not_before_ns=since_ns, not_after_ns=until_ns)
