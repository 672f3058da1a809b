"""Change an allow-list's file: as a whole or not at all, every other line byte for byte as it was."""

from __future__ import annotations

import csv
import fcntl
import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from platefleet.fleet.gate.allow_list import ALPHABET, COLUMNS, Table, day_of, parse, plate_of, weekdays_of
from platefleet.fleet.gate.escape import is_formula
from platefleet.protocol.durable import replace_file
from platefleet.protocol.errors import GateError

T = TypeVar("T")


def add(path: Path, cells: Mapping[str, str], alphabet: str = ALPHABET) -> bool:
    """Add a line with these cells (by column); return False if one that says the same is there.

    A file that is not there is made. Raises GateError if the file, before or after, or a cell cannot be used.
    """
    for column, cell in cells.items():
        if is_formula(cell):
            raise GateError(f"{column}: {cell!a} would be run as a formula by a spreadsheet; begin it with a letter.")
        if not cell.isprintable():
            raise GateError(f"{column}: {cell!a} holds a character that cannot be shown; leave it out.")

    def change(data: bytes) -> bytes:
        table = _table(data, path)
        missing = [column for column, cell in cells.items() if cell and column not in table.columns]
        if missing:
            raise GateError(f"{path}: its header has no {missing[0]}; add the column to the file first.")
        row = io.StringIO()
        ending = "\r\n" if table.lines[table.header].endswith("\r") else "\n"
        writer = csv.writer(row, delimiter=table.delimiter, lineterminator=ending)
        writer.writerow([cells.get(column, "") for column in table.columns])
        new = data + (b"" if data.endswith(b"\n") else ending.encode()) + row.getvalue().encode("utf-8")
        *before, added = parse(new, str(path), alphabet=alphabet).entries
        twin = any((e.plate, e.when, e.name) == (added.plate, added.when, added.name) for e in before)
        return data if twin else new

    return _edit(path, change, alphabet, create=True)


def require_cells(cells: Mapping[str, str], options: Mapping[str, str]) -> None:
    """Raise GateError that names the option whose cell a list could not take. options: of each column."""

    def read(column: str, meaning: Callable[[str], T]) -> T:
        try:
            return meaning(cells.get(column, ""))
        except ValueError as error:
            raise GateError(f"{options[column]}: {error}.") from error

    begins, ends = read("valid_from", day_of), read("valid_until", day_of)
    read("weekdays", weekdays_of)
    if begins and ends and begins > ends:
        raise GateError(f"{options['valid_from']}: {begins} lies after {options['valid_until']} {ends}; exchange them.")


def remove(path: Path, plate: str, alphabet: str = ALPHABET) -> int:
    """Take every line of a plate out of the file; return how many there were. Raises GateError."""
    try:
        wanted = plate_of(plate, alphabet)
    except ValueError as error:
        raise GateError(f"{error}.") from error
    removed = 0

    def change(data: bytes) -> bytes:
        nonlocal removed
        lines = data.split(b"\n")
        numbers = {e.line for e in parse(data, str(path), alphabet=alphabet).entries if e.plate == wanted}
        removed = len(numbers)
        return b"\n".join(line for number, line in enumerate(lines, start=1) if number not in numbers)

    _edit(path, change, alphabet, create=False)
    return removed


def _edit(path: Path, change: Callable[[bytes], bytes], alphabet: str, *, create: bool) -> bool:
    with _alone(path.parent):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            if not create:
                raise GateError(f"{path}: there is no such allow-list; name the file of the gate.") from None
            data = f"{','.join(COLUMNS)}\n".encode("ascii")
        except OSError as error:
            raise GateError(f"{path}: cannot be read ({error.strerror}); check its rights.") from error
        parse(data, str(path), alphabet=alphabet)
        new = change(data)
        if new == data:
            return False
        parse(new, str(path), alphabet=alphabet)
        try:
            # A link is followed, so that the file that it names is replaced and not the link.
            replace_file(path.resolve(), new, mode=0o644)
        except OSError as error:
            raise GateError(f"{path}: cannot be replaced ({error.strerror}); it is as it was.") from error
        return True


def _table(data: bytes, path: Path) -> Table:
    try:
        return Table.of(data)
    except ValueError as error:
        raise GateError(f"{path}: {error}; correct the file.") from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second edit in this folder waiting: two at once would lose one."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise GateError(f"{folder}: cannot be opened ({error.strerror}); name a folder that is there.") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
