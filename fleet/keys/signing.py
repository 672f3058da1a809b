"""One change of the trust from a command's options: load the root key, change, sign, write, say what is different."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from platefleet.fleet.keys.changes import Change, ends_soon
from platefleet.fleet.keys.keyring import load_signer
from platefleet.fleet.keys.options import asked, warn
from platefleet.fleet.keys.place import Place
from platefleet.models.commands.terminal import say
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.moments import utc_text


def changed(
    here: Place,
    by: Path,
    passphrase_file: Path | None,
    days: int,
    how: Callable[[Change], Change],
    *,
    as_json: bool,
) -> None:
    """Make the change and print it. Raises KeyringError; then nothing was written."""
    known = here.known_roots()
    here.state()  # what cannot be read is told before a passphrase is asked for
    signer = load_signer(by, asked(passphrase_file))
    warn(signer.warning)
    warn("" if known is None else known.warning)
    adopted, change = here.change(signer, SystemClock().now().utc_ns, days, how)
    trust = adopted.trust
    for sentence in ends_soon(trust):
        warn(sentence)
    result = {
        "trust": str(here.trust),
        "version": trust.trust_version,
        "ends_at": utc_text(trust.ends_at_ns),
        "signed_by": signer.public.name,
        "changes": list(change.told),
    }
    last = f"trust {trust.trust_version}: signed by {signer.public.name}, ends at {utc_text(trust.ends_at_ns)}"
    say(result, [*change.told, last, f"written: {here.trust}; the console publishes it"], as_json=as_json)
