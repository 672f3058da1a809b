"""`fetch` from a real HTTPS server: what becomes a source, what is refused, what goes on later."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from platefleet.models.errors import ArtifactError
from platefleet.models.operations import operations
from platefleet.models.operations.port import Hosts, StoppedEarly
from platefleet.models.operations.reading import arguments_of
from platefleet.protocol.errors import ProtocolError
from tests.commanded import ATestHost
from tests.model_shelf import MODEL, Server
from tests.one_job import OneJob, carried_out
from tests.until import until


@pytest.fixture
def host(server: Server, tmp_path: Path) -> ATestHost:
    token = tmp_path / "token"
    token.write_text("secret\n")
    return ATestHost(tmp_path, hosts=Hosts((f"localhost:{server.port}",), server.authority.ca, token))


def ordered(server: Server, **more: Any) -> dict[str, Any]:
    wanted = server.wanted()
    return {"role": "plate", "url": wanted.url, "sha256": wanted.sha256, "bytes": wanted.size, **more}


def sources(host: ATestHost) -> list[str]:
    return [path.stem for path in host.store.sources("plate")]


def test_a_file_becomes_a_source_with_the_device_s_own_token_and_once(server: Server, host: ATestHost) -> None:
    first = carried_out("fetch", host, **ordered(server))
    assert (first.source, first.new) == (server.wanted().sha256, True)
    assert host.store.source("plate", first.source).read_bytes() == MODEL
    assert server.shelf.asked[0]["authorization"] == "Bearer secret"
    assert not carried_out("fetch", host, **ordered(server)).new
    assert len(server.shelf.asked) == 1


def test_what_was_stopped_goes_on_where_it_was_in_the_next_try(server: Server, host: ATestHost) -> None:
    job = OneJob(stop_at="0 MiB")
    with pytest.raises(StoppedEarly):
        carried_out("fetch", host, job, **ordered(server))
    assert sources(host) == []
    assert carried_out("fetch", host, **ordered(server)).new
    assert server.shelf.asked[-1].get("range", "").startswith("bytes=")


def test_it_stands_still_for_a_car_and_that_is_no_failure(server: Server, host: ATestHost) -> None:
    job, ended = OneJob(), list[bool]()
    job.still = True
    thread = threading.Thread(target=lambda: ended.append(carried_out("fetch", host, job, **ordered(server)).new))
    thread.start()
    until(lambda: server.shelf.asked, 60)
    assert sources(host) == []
    job.still = False
    thread.join(60)
    assert ended == [True]


@pytest.mark.parametrize(
    ("shelf", "says"),
    [
        ({"content": MODEL[:-1] + b"x"}, "its SHA-256 is"),
        ({"content": MODEL + b"x"}, "is larger than"),
        ({"status": 302, "headers": {"Location": "https://elsewhere.example/x.onnx"}}, "redirects"),
        ({"status": 403}, "the server refuses"),
        ({"status": 404}, "404"),
    ],
)
def test_another_file_a_redirect_or_a_refusal_is_no_source(
    server: Server, host: ATestHost, shelf: dict[str, Any], says: str
) -> None:
    for name, value in shelf.items():
        setattr(server.shelf, name, value)
    with pytest.raises(ArtifactError, match=says):
        carried_out("fetch", host, **ordered(server))
    assert sources(host) == []


@pytest.mark.parametrize(
    "url", ["https://elsewhere.example/x.onnx", "http://localhost/x.onnx", "https://localhost/x.pt", "file:///x.onnx"]
)
def test_another_host_another_way_or_another_kind_of_file_is_not_asked_for(
    server: Server, host: ATestHost, url: str
) -> None:
    with pytest.raises(ArtifactError):
        carried_out("fetch", host, **ordered(server, url=url))
    assert server.shelf.asked == []


def test_a_device_that_allows_no_host_fetches_nothing(server: Server, host: ATestHost) -> None:
    with pytest.raises(ArtifactError, match="is not one of the hosts"):
        carried_out("fetch", replace(host, hosts=Hosts()), **ordered(server))


def test_a_certificate_of_another_authority_is_not_believed(server: Server, host: ATestHost) -> None:
    with pytest.raises(ArtifactError, match="certificate"):
        carried_out("fetch", replace(host, hosts=Hosts((f"localhost:{server.port}",))), **ordered(server))


def test_a_token_that_cannot_be_read_says_which(server: Server, host: ATestHost, tmp_path: Path) -> None:
    hosts = replace(host.hosts, token_file=tmp_path / "none")
    with pytest.raises(ArtifactError, match=r"commands\.token_file"):
        carried_out("fetch", replace(host, hosts=hosts), **ordered(server))


@pytest.mark.parametrize(
    "wrong",
    [{"sha256": "abc"}, {"sha256": "A" * 64}, {"bytes": 0}, {"bytes": 3 << 30}, {"url": "x"}, {"role": "wheel"}],
)
def test_an_order_without_digest_and_size_is_refused(server: Server, wrong: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match="fetch"):
        arguments_of(operations()["fetch"], ordered(server, **wrong))
