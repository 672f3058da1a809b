"""How openings are seen: lines in a file, requests to a URL."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from platefleet.fleet.conformance.pulses import PulseFile, PulseHttp, meant, plate_in
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.errors import ConfigError
from tests.until import until

CLOCK = SystemClock()
PLATES = frozenset({"KTX333", "KTX334"})


@pytest.fixture
def server() -> Iterator[PulseHttp]:
    made = PulseHttp(0, clock=CLOCK)
    yield made
    made.close()


def ask(server: PulseHttp, method: str, path: str, body: bytes = b"", **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request(method, path, body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_only_whole_lines_that_come_after_the_begin_are_openings(tmp_path: Path) -> None:
    path = tmp_path / "pulses"
    path.write_text("KTX333\n")
    pulses = PulseFile(path, clock=CLOCK)
    assert pulses.take() == []
    with path.open("a") as file:
        file.write("in KTX333\nKTX")
        file.flush()
        assert [opening.plate for opening in pulses.take()] == ["in KTX333"]
        file.write("334\n\n")
    assert [opening.plate for opening in pulses.take()] == ["KTX334"]
    pulses.close()


def test_a_file_that_cannot_be_had_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--pulse-file: .* cannot be opened"):
        PulseFile(tmp_path / "no" / "folder", clock=CLOCK)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/?plate=KTX333&lane=in", b""),
        ("POST", "/open?plate=KTX333", b""),
        ("POST", "/", b"lane=in&plate=KTX333"),
        ("POST", "/", b'{"plate": "KTX333"}'),
    ],
)
def test_a_request_is_an_opening_with_its_plate(server: PulseHttp, method: str, path: str, body: bytes) -> None:
    assert ask(server, method, path, body) == 204
    (opening,) = until(server.take)
    assert opening.plate == "KTX333"


def test_a_body_that_is_too_long_is_no_opening(server: PulseHttp) -> None:
    assert ask(server, "POST", "/", b"", **{"Content-Length": "9999999"}) == 413
    assert ask(server, "POST", "/", b"", **{"Content-Length": "-1"}) == 413
    assert server.take() == []


def test_a_port_that_is_taken_is_one_sentence(server: PulseHttp) -> None:
    with pytest.raises(ConfigError, match="cannot be listened on"):
        PulseHttp(server.port, clock=CLOCK)


@pytest.mark.parametrize("body", ["", "{", "[1]", '{"plate": 5}', "plate", "[" * 100_000])
def test_a_request_without_a_plate_is_a_bare_pulse(body: str) -> None:
    assert not plate_in("", body)


@pytest.mark.parametrize(
    ("told", "plate"),
    [
        ("KTX333", "KTX333"),
        ("lane=in, plate=ktx-334", "KTX334"),
        ("opened for KTX 333", ""),
        ("KTX3333", ""),
        ("", ""),
    ],
)
def test_a_pulse_means_the_plate_that_one_of_its_words_is(told: str, plate: str) -> None:
    assert meant(told, PLATES) == plate
