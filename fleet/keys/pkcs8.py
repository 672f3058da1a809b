"""A private key as PKCS #8 in PEM, under a passphrase that was stretched with scrypt.

The library's own encryption stretches with 2048 rounds of PBKDF2, which a thief tries by the million a second. The same
standard (RFC 8018, PBES2) takes scrypt (RFC 7914, section 7); OpenSSL and the library read it.
"""

from __future__ import annotations

import base64
import os
import textwrap

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

COST, BLOCK, PARALLEL = 1 << 14, 8, 8
"""16 MiB, below OpenSSL's limit of 32, and a third of a second on a laptop."""
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT = bytes.fromhex("06092b06010401da47040b")
_AES256_CBC = bytes.fromhex("060960864801650304012a")
_INTEGER, _BYTES, _SEQUENCE = 0x02, 0x04, 0x30


def to_pem(key: Ed25519PrivateKey, passphrase: bytes | None) -> bytes:
    """Return the PEM text of a key; None: without encryption."""
    plain = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    if passphrase is None:
        return _pem("PRIVATE KEY", plain)
    salt, start = os.urandom(16), os.urandom(16)
    stretched = Scrypt(salt=salt, length=32, n=COST, r=BLOCK, p=PARALLEL).derive(passphrase)
    left = 16 - len(plain) % 16
    writer = Cipher(algorithms.AES256(stretched), modes.CBC(start)).encryptor()
    hidden = writer.update(plain + bytes([left]) * left) + writer.finalize()
    numbers = b"".join(_integer(number) for number in (COST, BLOCK, PARALLEL))
    stretching = _der(_SEQUENCE, _SCRYPT + _der(_SEQUENCE, _der(_BYTES, salt) + numbers))
    hiding = _der(_SEQUENCE, _AES256_CBC + _der(_BYTES, start))
    how = _der(_SEQUENCE, _PBES2 + _der(_SEQUENCE, stretching + hiding))
    return _pem("ENCRYPTED PRIVATE KEY", _der(_SEQUENCE, how + _der(_BYTES, hidden)))


def _integer(number: int) -> bytes:
    return _der(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _der(tag: int, inside: bytes) -> bytes:
    """Return a value in DER (source: X.690, section 8.1.3); up to 255 bytes inside."""
    length = len(inside)
    return bytes([tag, length] if length < 128 else [tag, 0x81, length]) + inside


def _pem(label: str, data: bytes) -> bytes:
    lines = "\n".join(textwrap.wrap(base64.b64encode(data).decode("ascii"), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode("ascii")
