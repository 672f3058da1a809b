"""A pass's pictures, from the store into a folder: under names of harmless characters, whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import and_, select

from platefleet.fleet.questions.clocks import stamp_of, when
from platefleet.fleet.questions.errors import Unanswerable
from platefleet.fleet.questions.moments import in_utc
from platefleet.fleet.questions.reading import Reader
from platefleet.fleet.store import tables
from platefleet.protocol.delivery.frame import open_body, thaw
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages import Crops

_HARMFUL = re.compile(r"[^A-Za-z0-9._-]")
JPEG = b"\xff\xd8"
"""How every JPEG begins (source: ITU-T T.81, table B.1, start of image)."""


class Album:
    """A folder that pictures are written to; made if it is not there. refused: how many were no JPEG."""

    def __init__(self, folder: Path, reader: Reader) -> None:
        """Make the folder. Raises Unanswerable if that fails."""
        self._folder, self._reader = folder, reader
        self.refused = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unanswerable(f"crops: {folder} cannot be made ({error.strerror}); name another folder.") from error

    def save(self, found: Mapping[str, Any], *, this_revision: bool) -> dict[str, str]:
        """Write the pictures that belong to an event; return their paths by name, none for what the store lacks.

        this_revision: those of exactly this revision, otherwise the pass's newest. Raises Unanswerable.
        """
        crops = self._crops(found, this_revision)
        saved = {}
        for name, data in (("plate_picture", crops and crops.plate), ("vehicle_picture", crops and crops.vehicle)):
            if not data or crops is None:
                continue
            if not data.startswith(JPEG):
                self.refused += 1
                continue
            path = self._folder / file_name(found, crops.revision, name.removesuffix("_picture"))
            _write(path, data)
            saved[name] = str(path)
        return saved

    def _crops(self, found: Mapping[str, Any], this_revision: bool) -> Crops | None:
        crop, record = tables.crops.c, tables.records.c
        names = and_(record.device == crop.device, record.epoch == crop.epoch, record.seq == crop.seq)
        query = (
            select(record.frame)
            .select_from(tables.crops.join(tables.records, names))
            .where(crop["pass"] == found["pass"], crop.device == found["device"])
        )
        if this_revision:
            query = query.where(crop.revision == found["revision"])
        with self._reader.snapshot() as connection:
            frame = connection.execute(query.order_by(crop.revision.desc()).limit(1)).scalar()
        if frame is None:
            return None
        try:
            body = open_body(thaw(bytes(frame)))
        except ProtocolError:
            self.refused += 1
            return None
        return body if isinstance(body, Crops) else None


def file_name(found: Mapping[str, Any], revision: int, what: str) -> str:
    """Return a picture's name: when, where, which plate, which pass; nothing in it leads elsewhere.

    >>> stamp = {"captured_utc_ns": 0, "captured_mono_ns": 0, "captured_boot": "b", "captured_clock": "synced"}
    >>> found = {"device": "n", "lane": "in", "text": "../Ä1", "pass": "p", "utc_minus_mono_ns": None, **stamp}
    >>> file_name(found, 2, "plate")
    '19700101T000000Z_n_in_..1_p_r2_plate.jpg'
    """
    captured = when(stamp_of(found, "captured"), found["utc_minus_mono_ns"])
    at = f"{in_utc(captured.utc_ns)[:19]}Z".replace("-", "").replace(":", "")
    plate = found["text"] or "unread"
    parts = (at, found["device"], found["lane"], plate, found["pass"], f"r{revision}", what)
    return "_".join(_HARMFUL.sub("", str(part)) or "x" for part in parts) + ".jpg"


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with open(file, "wb") as opened:
            opened.write(data)
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise Unanswerable(
            f"crops: {path} cannot be written ({error.strerror}); free space or name another folder."
        ) from error
