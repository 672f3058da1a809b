"""Who may command a device: root keys sign the trust, the trust names the keys of operators, those sign commands.

Decisions without clock, file or network: `adopt` takes a trust message or refuses it, `authorize` says who holds a key
and whether it may sign now, `open_signed` does both for an envelope. `trust_file` keeps what was adopted.
"""

from platefleet.protocol.trust.adopt import EARLY_NS, LONGEST_NS, adopt, unfit, untimely, verify
from platefleet.protocol.trust.authorize import Opened, Operator, authorize, is_revoked, open_signed
from platefleet.protocol.trust.public_key import PublicKey, is_weak, parse_line, public_key
from platefleet.protocol.trust.refusal import Reason, Refused
from platefleet.protocol.trust.roots import Roots, roots
from platefleet.protocol.trust.state import Adopted, Floor, TrustState, id_of

__all__ = [
    "EARLY_NS",
    "LONGEST_NS",
    "Adopted",
    "Floor",
    "Opened",
    "Operator",
    "PublicKey",
    "Reason",
    "Refused",
    "Roots",
    "TrustState",
    "adopt",
    "authorize",
    "id_of",
    "is_revoked",
    "is_weak",
    "open_signed",
    "parse_line",
    "public_key",
    "roots",
    "unfit",
    "untimely",
    "verify",
]
