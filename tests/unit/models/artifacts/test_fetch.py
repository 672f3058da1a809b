"""ONNX files over HTTPS from a real server with its own authority: by digest, resumed, never elsewhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from platefleet.models.artifacts.arriving import abandoned, fetch_source
from platefleet.models.artifacts.https import TRIES, Wanted, checked_url, fetch
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.artifacts.upkeep import prune, verify
from platefleet.models.errors import ArtifactError
from tests.authority import Authority
from tests.model_shelf import MODEL, Server


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "file.part"


def bring(wanted: Wanted, part: Path) -> None:
    fetch(wanted, part, pause=lambda _: None)


def test_a_file_becomes_a_source_and_the_server_is_not_asked_again(server: Server, tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    done: list[tuple[int, int]] = []
    wanted = server.wanted(token="secret")
    assert fetch_source(store, "plate", wanted, progress=lambda at, of: done.append((at, of)))
    assert store.source("plate", wanted.sha256).read_bytes() == MODEL
    assert done[-1] == (len(MODEL), len(MODEL))
    assert server.shelf.asked[0]["authorization"] == "Bearer secret"
    assert not fetch_source(store, "plate", wanted)
    assert len(server.shelf.asked) == 1
    assert list((store.root / "plate" / "arriving").iterdir()) == []


def test_what_breaks_off_goes_on_where_it_stopped(server: Server, part: Path) -> None:
    server.shelf.cuts = [200_000, 50_000]
    bring(server.wanted(), part)
    assert part.read_bytes() == MODEL
    asked = [(each.get("range"), each.get("if-range")) for each in server.shelf.asked]
    assert asked == [(None, None), ("bytes=200000-", '"one"'), ("bytes=250000-", '"one"')]


def test_a_file_that_changed_in_between_is_begun_anew(server: Server, part: Path) -> None:
    server.shelf.content, server.shelf.tag, server.shelf.cuts = bytes(len(MODEL)), '"zero"', [100_000]
    with pytest.raises(ArtifactError, match="stopped"):
        fetch(server.wanted(), part, stopping=lambda: part.exists() and part.stat().st_size > 0)
    assert 0 < part.stat().st_size < len(MODEL)
    server.shelf.content, server.shelf.tag, server.shelf.cuts = MODEL, '"one"', []
    bring(server.wanted(), part)
    assert part.read_bytes() == MODEL


def test_without_a_mark_that_can_be_believed_nothing_is_gone_on_with(server: Server, part: Path) -> None:
    server.shelf.tag, server.shelf.cuts = 'W/"weak"', [100_000]
    bring(server.wanted(), part)
    assert part.read_bytes() == MODEL
    assert "range" not in server.shelf.asked[1]


def test_another_digest_is_not_kept(server: Server, part: Path) -> None:
    server.shelf.content = MODEL[:-1] + b"!"
    with pytest.raises(ArtifactError, match=r"its SHA-256 is .* nothing of it was kept"):
        bring(server.wanted(), part)
    assert not part.exists()


@pytest.mark.parametrize(("more", "said"), [(b"!", "is larger than the"), (b"", "bytes, not")])
def test_another_size_is_refused_before_it_is_fetched(server: Server, part: Path, more: bytes, said: str) -> None:
    server.shelf.content = MODEL[:-1] + 2 * more
    with pytest.raises(ArtifactError, match=said):
        bring(server.wanted(), part)
    assert not part.exists()


def test_a_body_without_a_length_ends_at_the_named_size(server: Server, part: Path) -> None:
    server.shelf.headers = {"Content-Length": "many"}
    server.shelf.content = MODEL * 3
    with pytest.raises(ArtifactError, match="is larger than the"):
        bring(server.wanted(), part)
    assert part.stat().st_size <= len(MODEL)


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (302, {"Location": "https://elsewhere.example/x.onnx"}, "redirects elsewhere, which is not followed"),
        (403, {}, "the server refuses"),
        (404, {}, "the server says 404"),
        (200, {"Content-Encoding": "gzip"}, "sends it packed"),
    ],
)
def test_any_answer_but_the_file_is_one_sentence(
    server: Server, part: Path, status: int, headers: dict[str, str], said: str
) -> None:
    server.shelf.status, server.shelf.headers = status, headers
    with pytest.raises(ArtifactError, match=said):
        bring(server.wanted(), part)
    assert len(server.shelf.asked) == 1


def test_a_server_that_is_busy_is_asked_again_and_then_given_up(server: Server, part: Path) -> None:
    server.shelf.status = 503
    with pytest.raises(ArtifactError, match=r"cannot be reached .*503"):
        bring(server.wanted(), part)
    assert len(server.shelf.asked) == TRIES


def test_a_proxy_of_the_environment_is_not_asked(server: Server, part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    bring(server.wanted(), part)
    assert part.read_bytes() == MODEL


def test_a_certificate_of_an_unknown_authority_is_refused(server: Server, part: Path, tmp_path: Path) -> None:
    other = Authority.make(tmp_path / "other")
    for ca in (None, other.ca):
        with pytest.raises(ArtifactError, match="certificate is not believed"):
            bring(server.wanted(ca_file=ca), part)
    with pytest.raises(ArtifactError, match="no certificates that can be read"):
        bring(server.wanted(ca_file=tmp_path / "nowhere.pem"), part)
    assert server.shelf.asked == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://models.example/a.onnx", "over HTTPS"),
        ("https://me:secret@models.example/a.onnx", "no password in it"),
        ("https://models.example/a.pt", "only ONNX files"),
        ("https://elsewhere.example/a.onnx", r"is not one of the hosts that models come from \(models\.example\)"),
        ("https://models.example:8443/a.onnx", "is not one of the hosts"),
        ("https://models.example:x/a.onnx", "is no URL"),
        ("file:///etc/passwd.onnx", "over HTTPS"),
    ],
)
def test_an_address_that_was_not_allowed_is_never_asked(url: str, said: str) -> None:
    with pytest.raises(ArtifactError, match=said):
        checked_url(Wanted(url, "ab" * 32, 5, ("models.example",)))


def test_a_size_or_digest_that_no_file_has_is_refused() -> None:
    for size in (0, -1, 1 << 40):
        with pytest.raises(ArtifactError, match="bytes; a model has"):
            checked_url(Wanted("https://a.example/a.onnx", "ab" * 32, size, ("a.example",)))
    with pytest.raises(ArtifactError, match="is no SHA-256"):
        checked_url(Wanted("https://a.example/a.onnx", "xy" * 32, 5, ("a.example",)))


def test_a_checkpoint_under_an_onnx_name_is_not_taken(server: Server, tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    server.shelf.content = b"PK\x03\x04" + bytes(100)
    wanted = server.wanted(sha256=hashlib.sha256(server.shelf.content).hexdigest(), size=104)
    with pytest.raises(ArtifactError, match=r"is a checkpoint and no ONNX"):
        fetch_source(store, "plate", wanted)
    assert store.sources("plate") == ()


def test_what_was_given_up_lies_there_to_go_on_from_until_it_is_pruned(server: Server, tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    with pytest.raises(ArtifactError, match="stopped"):
        fetch_source(store, "plate", server.wanted(), stopping=lambda: True)
    folder = store.root / "plate" / "arriving"
    assert {path.suffix for path in folder.iterdir()} == {".part", ".mark", ".lock"}
    waiting = list(abandoned(folder))
    assert sorted(prune(store).removed) == sorted(waiting)
    assert list(folder.iterdir()) == []
    assert all(not each.said for each in verify(store))
