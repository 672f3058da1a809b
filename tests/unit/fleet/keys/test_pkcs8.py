"""A private key's file is what other programs read too, as strongly encrypted as it is in use."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from platefleet.fleet.keys.pkcs8 import to_pem
from tests.trust_builders import a_key

KEY = a_key("anna")


def test_the_library_reads_it_with_the_passphrase_alone() -> None:
    written = to_pem(KEY, "Grüße, Anna".encode())
    read = load_pem_private_key(written, "Grüße, Anna".encode())
    assert isinstance(read, Ed25519PrivateKey)
    assert read.private_bytes_raw() == KEY.private_bytes_raw()
    for wrong in (b"another one", None):
        with pytest.raises((ValueError, TypeError)):
            load_pem_private_key(written, wrong)


def test_no_two_files_of_a_key_are_alike() -> None:
    assert to_pem(KEY, b"correct horse") != to_pem(KEY, b"correct horse")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_reads_it_within_its_limits(tmp_path: Path) -> None:
    path = tmp_path / "anna.pem"
    path.write_bytes(b"platefleet-operator-key x anna operator\n" + to_pem(KEY, b"correct horse"))
    command = ["openssl", "pkey", "-in", str(path), "-passin", "pass:correct horse", "-noout", "-text_pub"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    digits = "".join(said.split("pub:")[1].split()).replace(":", "")
    assert bytes.fromhex(digits) == KEY.public_key().public_bytes_raw()
