"""An envelope opens only as what it was signed as, by whom it was signed, unchanged to the last bit."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from platefleet.protocol import envelope
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.envelope import key_id, sign, signed_bytes
from platefleet.protocol.errors import Oversized, ProtocolError, SignatureError
from platefleet.protocol.messages import Envelope
from platefleet.protocol.messages.envelope import SIGNED_LIMIT_BYTES, SignedType
from tests.wire_vectors import vectors

KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
TRUSTED = {key_id(KEY.public_key()): KEY.public_key()}
TYPES: st.SearchStrategy[SignedType] = st.sampled_from(["command", "cancel", "desired", "trust"])


@given(TYPES, st.binary(min_size=1, max_size=100))
def test_what_was_signed_comes_out_as_it_went_in_over_the_wire(kind: SignedType, body: bytes) -> None:
    travelled = decode(Envelope, encode(sign(kind, body, KEY)))
    assert envelope.open(travelled, kind, TRUSTED) == body


@given(TYPES, TYPES, st.binary(min_size=1, max_size=20))
def test_a_signature_is_good_for_one_type_alone(signed: SignedType, taken: SignedType, body: bytes) -> None:
    made = sign(signed, body, KEY)
    renamed = made.model_copy(update={"type": taken})
    if signed == taken:
        assert envelope.open(renamed, taken, TRUSTED) == body
    else:
        with pytest.raises(SignatureError):
            envelope.open(made, taken, TRUSTED)
        with pytest.raises(SignatureError):
            envelope.open(renamed, taken, TRUSTED)


@given(st.binary(min_size=1, max_size=40), st.data())
def test_one_bit_changed_anywhere_opens_nothing(body: bytes, data: st.DataObject) -> None:
    made = sign("command", body, KEY)
    field = data.draw(st.sampled_from(["body", "signature"]))
    changed = bytearray(getattr(made, field))
    at = data.draw(st.integers(0, len(changed) * 8 - 1))
    changed[at // 8] ^= 1 << at % 8
    with pytest.raises(SignatureError):
        envelope.open(made.model_copy(update={field: bytes(changed)}), "command", TRUSTED)


def test_a_key_that_is_not_trusted_opens_nothing_even_under_a_trusted_name() -> None:
    stranger = sign("command", b"x", OTHER)
    disguised = stranger.model_copy(update={"key": key_id(KEY.public_key())})
    for made in (stranger, disguised):
        with pytest.raises(SignatureError):
            envelope.open(made, "command", TRUSTED)


def test_a_key_filed_under_anothers_id_is_noticed() -> None:
    with pytest.raises(SignatureError, match="another"):
        envelope.open(sign("command", b"x", OTHER), "command", {key_id(OTHER.public_key()): KEY.public_key()})


def test_type_and_body_cannot_be_cut_differently() -> None:
    texts = {signed_bytes(kind, body) for kind in ("command", "cancel") for body in (b"", b"\0", b"cel", b"\0cel")}
    assert len(texts) == 8


def test_bodies_are_bounded() -> None:
    assert len(sign("desired", bytes(SIGNED_LIMIT_BYTES), KEY).body) == SIGNED_LIMIT_BYTES
    with pytest.raises(Oversized):
        sign("desired", bytes(SIGNED_LIMIT_BYTES + 1), KEY)
    with pytest.raises(ProtocolError):
        sign("desired", b"", KEY)


def test_the_vectors_hold() -> None:
    told = vectors("envelopes")
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(told["secret_key"]))
    public = key.public_key()
    assert (public.public_bytes_raw().hex(), key_id(public)) == (told["public_key"], told["key"])
    for vector in told["vectors"]:
        body = bytes.fromhex(vector["body"])
        assert signed_bytes(vector["type"], body).hex() == vector["signed"]
        made = sign(vector["type"], body, key)
        assert (made.signature.hex(), encode(made).hex()) == (vector["signature"], vector["envelope"])
        assert envelope.open(made, vector["type"], {told["key"]: public}) == body
    for vector in told["refused"]:
        refused = decode(Envelope, bytes.fromhex(vector["envelope"]))
        with pytest.raises(SignatureError):
            envelope.open(refused, refused.type, {told["key"]: public})
