"""Sample messages of who may command."""

from __future__ import annotations

from platefleet.protocol import messages as m
from platefleet.protocol.moments import DAY_NS

MOMENT_NS = 1_795_000_000_000_000_000


def trusts() -> dict[type[m.Message], dict[str, m.Message]]:
    """Return samples of `Trust`. The keys are made up: nobody has their other half."""
    anna = m.TrustedKey(
        key=bytes(range(32)),
        name="anna",
        role="administrator",
        not_before_ns=MOMENT_NS,
        not_after_ns=MOMENT_NS + 365 * DAY_NS,
    )
    full = tuple(
        m.TrustedKey(
            key=bytes([at]) * 32, name=f"{at:064}", role="operator", not_before_ns=0, not_after_ns=2**63 - 1 - at
        )
        for at in range(64)
    )
    return {
        m.Trust: {
            "an administrator, and a key that was lost": m.Trust(
                trust_version=7,
                issued_at_ns=MOMENT_NS,
                ends_at_ns=MOMENT_NS + 90 * DAY_NS,
                keys=(anna,),
                revoked=(m.RevokedKey(key="21fe31dfa154a261626bf854046fd227", revoked_at_ns=MOMENT_NS - DAY_NS),),
            ),
            "nobody": m.Trust(trust_version=1, issued_at_ns=0, ends_at_ns=1),
            "the fullest": m.Trust(
                trust_version=2**53 - 1,
                issued_at_ns=2**63 - 2,
                ends_at_ns=2**63 - 1,
                keys=full,
                revoked=tuple(m.RevokedKey(key=f"{at:032x}", revoked_at_ns=2**63 - 1 - at) for at in range(256)),
            ),
        }
    }
