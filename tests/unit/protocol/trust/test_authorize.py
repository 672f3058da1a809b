"""Who commands is told by the trust alone, at the moment it is asked."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platefleet.protocol.codec import decode, encode
from platefleet.protocol.messages import Envelope
from platefleet.protocol.messages.envelope import SignedType
from platefleet.protocol.trust import Opened, Operator, Reason, Refused, TrustState, authorize, is_revoked, open_signed
from tests.trust_builders import DAY, T0, a_trust, adopted, id_of, ordered, trusted

ANNA, BERT = id_of("anna"), id_of("bert")
STATE = adopted(a_trust(7, trusted("anna", role="administrator"), trusted("bert"), revoked=("carl",)))


def refusal(state: TrustState, key: str, now: int | None = T0) -> Reason:
    judged = authorize(state, key, now)
    assert isinstance(judged, Refused), judged
    assert judged.says.isprintable()
    return judged.reason


def test_name_and_role_come_from_the_trust() -> None:
    assert authorize(STATE, ANNA, T0) == Operator("anna", "administrator", ANNA)
    assert authorize(STATE, BERT, T0) == Operator("bert", "operator", BERT)


def test_an_administrator_may_what_an_operator_may_and_not_the_other_way_round() -> None:
    anna, bert = Operator("anna", "administrator", ANNA), Operator("bert", "operator", BERT)
    assert [who.may(needed) for who in (anna, bert) for needed in ("operator", "administrator")] == [  # type: ignore[arg-type]
        True,
        True,
        True,
        False,
    ]


def test_each_refusal_has_its_reason() -> None:
    assert refusal(TrustState(), ANNA) is Reason.NO_TRUST
    assert refusal(STATE, id_of("mallory")) is Reason.UNKNOWN_KEY
    assert refusal(STATE, id_of("carl")) is Reason.REVOKED
    assert refusal(STATE, ANNA, T0 + 90 * DAY) is Reason.TRUST_ENDED
    assert refusal(STATE, ANNA, T0 - 2 * DAY) is Reason.TRUST_EARLY
    assert refusal(STATE, ANNA, None) is Reason.CLOCK


def test_a_key_is_good_from_its_first_nanosecond_on_and_no_more_at_its_last() -> None:
    state = adopted(a_trust(1, trusted("anna", since=T0 + 5, until=T0 + 9)))
    assert refusal(state, ANNA, T0 + 4) is Reason.KEY_EARLY
    assert isinstance(authorize(state, ANNA, T0 + 5), Operator)
    assert isinstance(authorize(state, ANNA, T0 + 8), Operator)
    assert refusal(state, ANNA, T0 + 9) is Reason.KEY_ENDED


def test_no_clock_helps_a_key_that_is_revoked_or_unknown() -> None:
    state = adopted(a_trust(1, trusted("anna"), revoked=("anna",)))
    assert refusal(state, ANNA, None) is Reason.REVOKED
    assert refusal(state, ANNA, 0) is Reason.REVOKED
    assert refusal(state, BERT, None) is Reason.UNKNOWN_KEY
    assert refusal(TrustState(), ANNA, None) is Reason.NO_TRUST


def test_only_waiting_for_the_clock_may_help() -> None:
    waits = [authorize(STATE, key, now) for key in (ANNA, BERT, id_of("mallory")) for now in (None, T0 + 90 * DAY)]
    assert [isinstance(each, Refused) and each.passes for each in waits] == [True, False, True, False, False, False]


def test_a_revocation_takes_back_what_was_let_in_before() -> None:
    assert not is_revoked(STATE, ANNA)
    assert is_revoked(adopted(a_trust(8, revoked=("anna",)), STATE), ANNA)
    assert not is_revoked(TrustState(), ANNA)


def test_a_withheld_revocation_ends_with_the_trust() -> None:
    """The device never hears that anna was revoked: after the trust's days she commands nothing all the same."""
    days = [day for day in range(200) if isinstance(authorize(STATE, ANNA, T0 + day * DAY), Operator)]
    assert days == list(range(90))


def test_what_was_signed_comes_out_with_who_signed_it() -> None:
    opened = open_signed(STATE, ordered("bert", b"benchmark"), "command", T0)
    assert opened == Opened(b"benchmark", Operator("bert", "operator", BERT))


KINDS: st.SearchStrategy[SignedType] = st.sampled_from(["command", "cancel", "desired", "trust"])


@given(KINDS, KINDS)
def test_a_signature_is_taken_as_what_it_was_made_for(made: SignedType, taken: SignedType) -> None:
    opened = open_signed(STATE, ordered("anna", kind=made), taken, T0)
    if made == taken:
        assert isinstance(opened, Opened)
    else:
        assert isinstance(opened, Refused)
        assert opened.reason is Reason.TYPE
    renamed = decode(Envelope, ordered("anna", kind=made)).model_copy(update={"type": taken})
    reopened = open_signed(STATE, encode(renamed), taken, T0)
    assert isinstance(reopened, Opened) == (made == taken)


def test_an_answer_is_owed_only_where_the_signature_is_good() -> None:
    ended = open_signed(STATE, ordered("anna"), "command", T0 + 90 * DAY)
    clock = open_signed(STATE, ordered("anna"), "command", None)
    forged = decode(Envelope, ordered("anna")).model_copy(update={"body": b"another"})
    wrong = open_signed(STATE, encode(forged), "command", None)
    unknown = open_signed(STATE, ordered("mallory"), "command", T0)
    told = [(each.reason, each.verified) for each in (ended, clock, wrong, unknown) if isinstance(each, Refused)]
    assert told == [
        (Reason.TRUST_ENDED, True),
        (Reason.CLOCK, True),
        (Reason.SIGNATURE, False),
        (Reason.UNKNOWN_KEY, False),
    ]


def test_a_root_key_commands_nothing() -> None:
    opened = open_signed(STATE, ordered("vault"), "command", T0)
    assert isinstance(opened, Refused)
    assert opened.reason is Reason.UNKNOWN_KEY


@pytest.mark.parametrize("signer", ["anna", "bert", "carl", "mallory"])
def test_a_key_under_another_id_opens_nothing(signer: str) -> None:
    for claimed in {ANNA, BERT, id_of("carl"), id_of("mallory")} - {id_of(signer)}:
        forged = decode(Envelope, ordered(signer)).model_copy(update={"key": claimed})
        assert isinstance(open_signed(STATE, encode(forged), "command", T0), Refused)


@settings(max_examples=200)
@given(st.data())
def test_a_command_with_any_bit_changed_is_refused_or_the_same(data: st.DataObject) -> None:
    changed = bytearray(ordered("anna"))
    at = data.draw(st.integers(0, len(changed) * 8 - 1))
    changed[at // 8] ^= 1 << at % 8
    opened = open_signed(STATE, bytes(changed), "command", T0)
    if isinstance(opened, Opened):
        assert opened == Opened(b"a command", Operator("anna", "administrator", ANNA))


@given(st.binary(max_size=300), st.sampled_from([T0, None]))
def test_any_bytes_whatsoever_are_answered(data: bytes, now: int | None) -> None:
    assert isinstance(open_signed(STATE, data, "command", now), Refused)


def test_what_is_known_without_its_trust_authorises_nobody() -> None:
    assert refusal(dataclasses.replace(STATE, adopted=None), ANNA) is Reason.NO_TRUST
