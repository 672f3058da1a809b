"""What was adopted survives power cuts, and no file that is damaged or put back lets an older trust in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from platefleet.protocol.trust import Reason, Refused, Roots, TrustState, adopt
from platefleet.protocol.trust_file import TrustFile
from tests.trust_builders import ROOTS, SAFE, T0, VAULT, a_trust, adopted, told, trusted
from tests.unprivileged import open_folder, unprivileged

TRUST, FLOOR = "trust.msgpack", "trust.floor"
ONLY_SAFE = Roots(ROOTS.named[1:])


def kept(folder: Path, *versions: int) -> TrustState:
    state = TrustState()
    for version in versions:
        state = adopted(a_trust(version, trusted("anna")), state)
        assert TrustFile(folder / TRUST, ROOTS).keep(state) == ""
    return state


def loaded(folder: Path, roots: Roots = ROOTS) -> tuple[TrustState, tuple[str, ...]]:
    file = TrustFile(folder / TRUST, roots)
    state = file.load()
    assert all(each.isprintable() for each in file.problems)
    return state, file.problems


def test_a_new_device_has_nothing_and_nothing_to_complain(tmp_path: Path) -> None:
    assert loaded(tmp_path / "not there") == (TrustState(), ())


def test_what_was_kept_comes_back_byte_for_byte(tmp_path: Path) -> None:
    state = kept(tmp_path / "made", 3, 4)
    assert loaded(tmp_path / "made") == (state, ())
    assert (tmp_path / "made" / TRUST).read_bytes() == told(a_trust(4, trusted("anna")))


def test_a_damaged_trust_is_set_aside_and_the_version_is_remembered(tmp_path: Path) -> None:
    state = kept(tmp_path, 4)
    (tmp_path / TRUST).write_bytes(b"\0" * 100)
    found, problems = loaded(tmp_path)
    assert found == TrustState(None, state.floor)
    assert len(problems) == 1
    assert "trust.msgpack.broken" in problems[0]
    assert (tmp_path / "trust.msgpack.broken").read_bytes() == b"\0" * 100
    older = adopt(found, told(a_trust(3)), ROOTS, T0)
    assert isinstance(older, Refused)
    assert older.reason is Reason.OLDER
    assert adopt(found, told(a_trust(4, trusted("anna"))), ROOTS, T0) == state


def test_a_damaged_floor_is_told_by_the_trust(tmp_path: Path) -> None:
    state = kept(tmp_path, 4)
    line = (tmp_path / FLOOR).read_bytes()
    (tmp_path / FLOOR).write_bytes(line.replace(b" 4 ", b" 9 "))
    found, problems = loaded(tmp_path)
    assert found == state
    assert len(problems) == 1
    assert "trust.floor.broken" in problems[0]


def test_where_both_are_damaged_the_device_says_that_it_starts_from_its_roots_alone(tmp_path: Path) -> None:
    kept(tmp_path, 4)
    for name in (TRUST, FLOOR):
        (tmp_path / name).write_bytes(b"")
    found, problems = loaded(tmp_path)
    assert found == TrustState()
    assert len(problems) == 3
    assert "only what the root keys sign counts" in problems[2]


def test_an_old_copy_that_is_put_back_trusts_nobody(tmp_path: Path) -> None:
    kept(tmp_path, 3)
    old = (tmp_path / TRUST).read_bytes()
    state = kept(tmp_path, 5)
    (tmp_path / TRUST).write_bytes(old)
    found, problems = loaded(tmp_path)
    assert found == TrustState(None, state.floor)
    assert "trust 3 is not the newest, 5" in problems[0]


def test_a_root_that_is_no_longer_configured_binds_nobody(tmp_path: Path) -> None:
    """Whoever stole `vault` published the last version there is; the site takes `vault` out of its configurations."""
    kept(tmp_path, 2**53 - 1)
    found, problems = loaded(tmp_path, ONLY_SAFE)
    assert found == TrustState()
    assert "signed by no root that is configured" in problems[0]
    assert isinstance(adopt(found, told(a_trust(8), SAFE), ONLY_SAFE, T0), TrustState)


def test_a_device_whose_folder_cannot_be_written_says_so_and_goes_on() -> None:
    with open_folder() as folder:
        kept(folder, 1)
        newer = adopted(a_trust(2))
        folder.chmod(0o500)
        with unprivileged():
            said = TrustFile(folder / TRUST, ROOTS).keep(newer)
        assert "trust 2 cannot be kept (Permission denied)" in said
        assert loaded(folder)[0].version == 1


def test_files_with_any_byte_changed_trust_what_was_signed_or_nobody(tmp_path: Path) -> None:
    state = kept(tmp_path, 4)
    good = {name: (tmp_path / name).read_bytes() for name in (TRUST, FLOOR)}

    @settings(max_examples=60)
    @given(st.sampled_from([TRUST, FLOOR]), st.integers(0, 10_000), st.integers(1, 255), st.booleans())
    def damaged(name: str, at: int, bits: int, cut: bool) -> None:
        for each, data in good.items():
            (tmp_path / each).write_bytes(data)
        at %= len(good[name])
        changed = good[name][:at] + bytes([good[name][at] ^ bits]) + (b"" if cut else good[name][at + 1 :])
        (tmp_path / name).write_bytes(changed)
        found, problems = loaded(tmp_path)
        assert found.floor == state.floor
        if found.adopted is None:
            assert problems
        else:
            assert state.adopted is not None
            assert found.adopted.trust == state.adopted.trust

    damaged()


def around(call: Any, step: Callable[[], None]) -> Any:
    def called(*arguments: Any, **named: Any) -> Any:
        step()
        return call(*arguments, **named)

    return called


def sweep(folder: Path) -> None:
    """Keep trust 2 over trust 1, killed before each step that changes something; print how many children died."""
    for last in range(50):
        place = folder / str(last)
        kept(place, 1)
        process = os.fork()
        if not process:
            left = [last]

            def step(left: list[int] = left) -> None:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            for name in ("write", "fsync", "fchmod", "close"):
                setattr(os, name, around(getattr(os, name), step))
            sys.addaudithook(lambda event, _, step=step: step() if event == "os.rename" else None)  # type: ignore[misc]
            kept(place, 2)
            os._exit(0)
        status = os.waitpid(process, 0)[1]
        if os.WIFEXITED(status):
            print(last, os.WEXITSTATUS(status))
            return
        assert os.WTERMSIG(status) == signal.SIGKILL


def test_wherever_it_is_killed_the_trust_before_or_the_new_one_is_there(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[4]
    code = f"from tests.unit.protocol.trust import test_trust_file as t; t.sweep(t.Path({str(tmp_path)!r}))"
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, check=True, env=environment, cwd=root, capture_output=True, text=True).stdout
    killed, status = map(int, said.split())
    assert status == 0
    assert killed >= 10
    found = [loaded(tmp_path / str(step)) for step in range(killed + 1)]
    assert all(problems == () for _, problems in found)
    versions = [state.version for state, _ in found]
    assert versions == sorted(versions)
    assert {versions[0], versions[-1]} == {1, 2}
    assert adopt(found[0][0], told(a_trust(2, trusted("anna")), VAULT), ROOTS, T0) != found[0][0]
