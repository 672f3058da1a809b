"""The newest verified trust on a device's disk, and beside it, in a file of its own, how far versions had risen.

The trust is kept as it came, so its signature guards it on the disk too. It is written before the floor: whatever a
crash leaves is the version before or the new one, never a floor without its trust. Where the trust is damaged the floor
still refuses all that is older; where both are, the device says so and believes its roots again.
"""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path

from platefleet.protocol.durable import replace_file, sync_folder
from platefleet.protocol.messages.base import LIMIT_BYTES
from platefleet.protocol.trust import Adopted, Floor, Reason, Refused, Roots, TrustState, unfit, verify

LOG = logging.getLogger(__name__)
_LINE = re.compile(r"platefleet-trust-floor 1 (\d{1,16}) ([0-9a-f]{64}) ([0-9a-f]{32}) ([0-9a-f]{64})\n")


class TrustFile:
    """The trust, and `….floor` beside it. `problems`: a sentence for each thing that was wrong when they were read.

    set_aside: whether what is damaged is renamed to `….broken`, so that a new one can take its place.
    """

    def __init__(self, path: Path, roots: Roots, *, set_aside: bool = True) -> None:
        self.path = path
        self.floor = path.with_suffix(".floor")
        self.problems: tuple[str, ...] = ()
        self._roots = roots
        self._sets_aside = set_aside

    def load(self) -> TrustState:
        """Return what the files hold as far as the roots vouch for it. Never raises: what cannot be used is told."""
        damages: list[str] = []
        others: list[str] = []
        adopted, floor = self._trust(damages, others), self._floor(damages)
        if adopted is None and floor is None and damages:
            others.append(
                f"{self.path}: how far the trust had risen is lost; only what the root keys sign counts, and an "
                "older trust would be taken until it ends"
            )
        if adopted is not None and floor is not None and _below(adopted.floor, floor):
            others.append(
                f"{self.path}: trust {adopted.floor.version} is not the newest, {floor.version}, that this "
                "device has seen (was an old copy put back?); nobody is trusted until that one or a newer is published"
            )
            adopted = None
        self.problems = (*damages, *others)
        for each in self.problems:
            LOG.warning("%s", each)
        return TrustState(None, floor) if adopted is None else TrustState(adopted, adopted.floor)

    def keep(self, state: TrustState) -> str:
        """Make a state durable; return an empty text, or one sentence if the disk refused.

        What was adopted holds all the same: after a restart the device may have to hear it again.
        """
        if state.adopted is None:
            return ""
        floor = state.adopted.floor
        line = f"platefleet-trust-floor 1 {floor.version} {floor.digest} {floor.root}"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.path, state.adopted.envelope, 0o644)
            replace_file(self.floor, f"{line} {_check(line)}\n".encode("ascii"), 0o644)
        except OSError as error:
            why = f"cannot be kept ({error.strerror}); after a restart it has to come again"
            says = f"{self.path}: trust {floor.version} {why}"
            LOG.error("%s", says)
            return says
        return ""

    def _trust(self, damages: list[str], others: list[str]) -> Adopted | None:
        data = self._read(self.path, damages)
        verified = None if data is None else verify(data, self._roots)
        match verified:
            case Adopted() if unfit(verified.trust) is None:
                return verified
            case Refused(reason=Reason.NO_ROOT):
                others.append(f"{self.path}: signed by no root that is configured; a new trust has to come")
            case Adopted() | Refused():
                self._set_aside(self.path, damages)
        return None

    def _floor(self, said: list[str]) -> Floor | None:
        data = self._read(self.floor, said)
        if data is None:
            return None
        line = _LINE.fullmatch(data.decode("ascii", "replace"))
        if line is None or _check(line[0].rsplit(" ", 1)[0]) != line[4]:
            self._set_aside(self.floor, said)
            return None
        if line[3] not in self._roots.keys:  # what a root that is no longer believed had signed binds nobody
            return None
        return Floor(int(line[1]), line[2], line[3])

    def _read(self, path: Path, said: list[str]) -> bytes | None:
        try:
            with path.open("rb") as file:
                return file.read(LIMIT_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            said.append(f"{path}: cannot be read ({error.strerror}); check the disk and the rights")
            return None

    def _set_aside(self, path: Path, said: list[str]) -> None:
        if not self._sets_aside:
            said.append(f"{path}: damaged, or no such file at all; put a good copy back")
            return
        beside = path.with_name(f"{path.name}.broken")
        try:
            path.replace(beside)
            sync_folder(path.parent)
        except OSError as error:
            said.append(f"{path}: damaged, and cannot be set aside ({error.strerror}); check the disk and the rights")
            return
        said.append(f"{path}: damaged, and kept as {beside.name}; the console's next message replaces it")


def _below(found: Floor, floor: Floor) -> bool:
    """Whether a trust on the disk is another one than the newest: older, or the clash that was refused."""
    return found.version < floor.version or (found.version == floor.version and found.digest != floor.digest)


def _check(line: str) -> str:
    return hashlib.sha256(line.encode("ascii")).hexdigest()
