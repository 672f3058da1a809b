"""A public key is one line, and what is nearly one is refused with a sentence."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from platefleet.protocol.errors import ConfigError
from platefleet.protocol.trust import is_weak, parse_line, public_key, roots
from platefleet.protocol.trust.public_key import _SMALL_ORDER
from tests.trust_builders import ROOTS, a_key

RAW = a_key("anna").public_key().public_bytes_raw()
LINE = public_key(RAW, "operator", "anna", "operator").line()
VAULT, SAFE = (root.line() for root in ROOTS.named)


@given(
    st.binary(min_size=32, max_size=32).filter(lambda raw: not is_weak(raw)),
    st.sampled_from(["root", "operator", "administrator"]),
)
def test_a_line_and_back(raw: bytes, role: str) -> None:
    key = public_key(raw, "root", "x") if role == "root" else public_key(raw, "operator", "x", role)  # type: ignore[arg-type]
    assert parse_line(key.line() + "\n") == key


@pytest.mark.parametrize(
    "line",
    [
        "",
        "platefleet-operator-key",
        LINE.replace("operator-key", "other-key"),
        LINE.replace(" operator", " king"),
        LINE.rsplit(" ", 1)[0],
        LINE.replace("=", ""),
        LINE.replace(" anna ", " anna  "),
        LINE.replace("anna", "an/na"),
        LINE.replace("anna", "a" * 65),
        LINE + " more",
        LINE + "\n" + LINE,
        f"platefleet-root-key {base64.b64encode(bytes(32)).decode()} x",
        f"platefleet-root-key {base64.b64encode(bytes(31)).decode()} x",
        "platefleet-root-key ÄÖÜ x",
        "x" * 100_000,
    ],
)
def test_what_is_nearly_a_line_is_refused_in_one_printable_sentence(line: str) -> None:
    with pytest.raises(ConfigError, match=r"^anna\.pub: ") as caught:
        parse_line(line, "anna.pub")
    assert str(caught.value).isprintable()


def test_a_private_key_in_its_place_is_told_apart() -> None:
    with pytest.raises(ConfigError, match="this is a private key"):
        parse_line("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIG\n-----END ENCRYPTED PRIVATE KEY-----\n")


def test_under_a_weak_key_anybody_can_sign_and_it_is_refused() -> None:
    identity = b"\x01" + bytes(31)
    Ed25519PublicKey.from_public_bytes(identity).verify(identity + bytes(32), b"whatever")  # nobody signed this
    assert is_weak(identity)
    for low in _SMALL_ORDER:
        for last in (b"\x00", b"\x05", b"\x7a", b"\x7f", b"\x80", b"\x85", b"\xfa", b"\xff"):
            with pytest.raises(ConfigError, match="proves anything"):
                public_key(low + last, "root", "x")


def test_two_roots_need_no_warning_and_one_does() -> None:
    assert roots([VAULT, SAFE]) == ROOTS
    assert roots([VAULT, SAFE]).warning == ""
    assert "only one root key is configured (vault)" in roots([VAULT]).warning


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "0 root keys"),
        ([VAULT, VAULT], "twice"),
        ([VAULT, LINE], r"trust.roots\[1\]: anna is an operator's key"),
        ([VAULT, "rubbish"], r"trust.roots\[1\]: this is no public key"),
    ],
)
def test_roots_that_cannot_be_used_name_which(lines: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        roots(lines)
