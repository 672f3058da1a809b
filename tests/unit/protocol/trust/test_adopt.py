"""A trust is adopted with a root's signature alone, and never gives way to an older one."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platefleet.protocol.codec import decode, encode
from platefleet.protocol.envelope import sign
from platefleet.protocol.messages import Envelope, Trust
from platefleet.protocol.trust import EARLY_NS, Reason, Refused, TrustState, adopt
from tests.trust_builders import DAY, ROOTS, SAFE, STRANGER, T0, VAULT, a_key, a_trust, adopted, id_of, told, trusted

NOTHING = TrustState()


def refusal(state: TrustState, data: bytes, now: int | None = T0) -> Refused:
    judged = adopt(state, data, ROOTS, now)
    assert isinstance(judged, Refused), judged
    assert judged.says.isprintable()
    return judged


@pytest.mark.parametrize("root", [VAULT, SAFE], ids=["vault", "safe"])
def test_any_one_of_the_roots_suffices(root: object) -> None:
    trust = a_trust(3, trusted("anna"))
    data = told(trust, root)  # type: ignore[arg-type]
    state = adopt(NOTHING, data, ROOTS, T0)
    assert isinstance(state, TrustState)
    assert state.adopted is not None
    assert (state.adopted.envelope, state.adopted.trust, state.version) == (data, trust, 3)


def test_a_root_that_signs_a_higher_version_replaces_what_the_other_signed() -> None:
    state = adopted(a_trust(1, trusted("anna")))
    newer = adopt(state, told(a_trust(2), SAFE), ROOTS, T0)
    assert isinstance(newer, TrustState)
    assert newer.version == 2


def test_nobody_but_a_root_can_say_whom_to_trust() -> None:
    state = adopted(a_trust(1, trusted("anna", role="administrator")))
    for signer in (STRANGER, a_key("anna")):
        assert refusal(state, told(a_trust(2), signer)).reason is Reason.NO_ROOT


def test_what_a_root_signed_as_something_else_is_no_trust() -> None:
    data = encode(sign("desired", encode(a_trust(1)), VAULT))
    assert refusal(NOTHING, data).reason is Reason.TYPE
    renamed = decode(Envelope, data).model_copy(update={"type": "trust"})
    assert refusal(NOTHING, encode(renamed)).reason is Reason.SIGNATURE


def test_a_deleted_retained_message_says_nothing() -> None:
    state = adopted(a_trust(5))
    assert adopt(state, b"", ROOTS, T0) is state


def test_the_same_version_again_changes_nothing_whichever_root_signed_it_and_however_late_it_comes() -> None:
    trust = a_trust(5, trusted("anna"))
    state = adopted(trust)
    assert adopt(state, told(trust), ROOTS, T0) is state
    assert adopt(state, told(trust, SAFE), ROOTS, T0 + 1000 * DAY) is state


def test_an_older_version_is_refused_and_names_both() -> None:
    refused = refusal(adopted(a_trust(5)), told(a_trust(4, trusted("mallory"))))
    assert refused.reason is Reason.OLDER
    assert "trust 4 is older than 5" in refused.says


def test_the_same_version_with_another_content_is_an_alarm() -> None:
    refused = refusal(adopted(a_trust(5)), told(a_trust(5, trusted("mallory"))))
    assert refused.reason is Reason.CLASH
    assert refused.alarm


def test_a_version_whose_bytes_were_lost_is_taken_again_and_nothing_else_of_its_number() -> None:
    lost = dataclasses.replace(adopted(a_trust(5, trusted("anna"))), adopted=None)
    again = adopt(lost, told(a_trust(5, trusted("anna"))), ROOTS, T0)
    assert isinstance(again, TrustState)
    assert again.version == 5
    assert refusal(lost, told(a_trust(5))).reason is Reason.CLASH
    assert refusal(lost, told(a_trust(4))).reason is Reason.OLDER


def test_a_trust_that_has_ended_is_refused_to_the_nanosecond() -> None:
    data = told(a_trust(1, days=90))
    assert refusal(NOTHING, data, T0 + 90 * DAY).reason is Reason.TRUST_ENDED
    assert isinstance(adopt(NOTHING, data, ROOTS, T0 + 90 * DAY - 1), TrustState)


def test_none_holds_longer_than_ninety_days_and_none_ends_before_it_begins() -> None:
    trust = a_trust(1, days=90)
    for ends in (trust.ends_at_ns + 1, trust.issued_at_ns, trust.issued_at_ns - DAY):
        changed = trust.model_copy(update={"ends_at_ns": ends})
        assert refusal(NOTHING, told(changed), None).reason is Reason.TOO_LONG


def test_a_trust_from_the_future_is_refused_beyond_a_day_of_clocks_that_differ() -> None:
    data = told(a_trust(1, issued=T0 + EARLY_NS))
    assert isinstance(adopt(NOTHING, data, ROOTS, T0), TrustState)
    assert refusal(NOTHING, data, T0 - 1).reason is Reason.TRUST_EARLY


def test_without_a_clock_the_version_alone_decides() -> None:
    state = adopt(adopted(a_trust(5)), told(a_trust(6, issued=0)), ROOTS, None)
    assert isinstance(state, TrustState)
    assert state.version == 6
    assert refusal(state, told(a_trust(5)), None).reason is Reason.OLDER


def test_a_key_under_which_anybody_can_sign_is_refused_and_one_that_stands_twice() -> None:
    weak = trusted("anna").model_copy(update={"key": b"\x01" + bytes(31)})
    assert refusal(NOTHING, told(a_trust(1, weak))).reason is Reason.UNFIT
    twice = (trusted("anna"), trusted("bert", role="administrator", key="anna"))
    assert refusal(NOTHING, told(a_trust(1, *twice))).reason is Reason.UNFIT


VERSIONS = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.sampled_from(["anna", "bert", ""]),
        st.sampled_from([VAULT, SAFE, STRANGER]),
        st.sampled_from([T0, T0 + 95 * DAY, None]),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(VERSIONS)
def test_in_whatever_order_and_however_often_versions_come_none_ever_falls(
    messages: list[tuple[int, str, object, int | None]],
) -> None:
    state, highest = NOTHING, 0
    for version, name, signer, now in messages:
        keys = (trusted(name),) if name else ()
        judged = adopt(state, told(a_trust(version, *keys), signer), ROOTS, now)  # type: ignore[arg-type]
        before, state = state, judged if isinstance(judged, TrustState) else state
        assert state.version >= before.version
        assert state.floor is None or state.floor.version == state.version
        if isinstance(judged, TrustState) and judged is not before:
            assert signer in (VAULT, SAFE)
            assert version > highest
            highest = version
        else:
            assert state is before


@settings(max_examples=60)
@given(st.permutations(range(1, 7)), st.integers(1, 6), st.data())
def test_a_key_that_was_revoked_comes_back_by_no_older_message(
    order: list[int], revoked_in: int, data: st.DataObject
) -> None:
    def message(version: int) -> bytes:
        gone = version >= revoked_in
        return told(a_trust(version, trusted("anna"), revoked=("anna",) if gone else ()))

    state, seen = NOTHING, 0
    for version in [*order, *data.draw(st.lists(st.integers(1, 6), max_size=6))]:
        judged = adopt(state, message(version), ROOTS, data.draw(st.sampled_from([T0, None])))
        state = judged if isinstance(judged, TrustState) else state
        seen = max(seen, version)
        assert state.version == seen
        assert state.adopted is not None
        assert (state.adopted.revoked_at_ns(id_of("anna")) is not None) == (seen >= revoked_in)


@settings(max_examples=200)
@given(st.data())
def test_a_message_with_any_bit_changed_is_refused_or_says_the_same(data: st.DataObject) -> None:
    trust = a_trust(2, trusted("anna"), revoked=("bert",))
    changed = bytearray(told(trust))
    at = data.draw(st.integers(0, len(changed) * 8 - 1))
    changed[at // 8] ^= 1 << at % 8
    judged = adopt(NOTHING, bytes(changed), ROOTS, T0)
    if isinstance(judged, TrustState):  # a bit of a field's name that nobody has to know
        assert judged.adopted is not None
        assert judged.adopted.trust == trust
    else:
        assert judged.reason in {
            Reason.NO_MESSAGE,
            Reason.TYPE,
            Reason.NO_ROOT,
            Reason.SIGNATURE,
        }


@given(st.binary(max_size=200))
def test_any_bytes_whatsoever_are_answered(data: bytes) -> None:
    judged = adopt(NOTHING, data, ROOTS, T0)
    assert judged is NOTHING if not data else isinstance(judged, Refused)


def test_what_a_root_signed_that_is_no_trust_is_refused() -> None:
    refused = refusal(NOTHING, encode(sign("trust", b"\x81\xa7version\x02", VAULT)))
    assert refused.reason is Reason.NO_MESSAGE
    assert refused.verified


def test_a_trust_travels_whole_with_as_many_keys_as_it_may_have() -> None:
    keys = tuple(trusted(f"{at:064}") for at in range(64))
    trust = a_trust(1, *keys, revoked=[f"gone {at}" for at in range(256)])
    state = adopted(trust)
    assert state.adopted is not None
    assert state.adopted.trust == trust
    assert decode(Trust, encode(trust)) == trust
