"""`platefleet read`: plates in pictures, folders and videos. What is heavy is imported when the command runs."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from platefleet.models.errors import PictureError
from platefleet.protocol.durable import replace_file
from platefleet.protocol.errors import ConfigError
from platefleet.protocol.printable import printable

if TYPE_CHECKING:
    from platefleet.models.detections import Frame
    from platefleet.models.formats import Format
    from platefleet.models.pipeline import Pipeline
    from platefleet.models.reading import Sighting
    from platefleet.models.rows import Rows

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)

Weights = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="Weights to use instead of the pinned ones.")
]


@app.command(epilog="Example: platefleet read photo.jpg clip.mp4 folder/ --json --annotate seen/ --format eu")
def read(  # noqa: PLR0917 - typer's signature is the command line's
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Pictures, folders of pictures, videos.")],
    annotate: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write each picture there, with what was seen drawn in.")
    ] = None,
    as_lines: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each frame.")] = False,
    plate_format: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help="Settle O or 0 by this plate format: eu, or a country's code."),
    ] = None,
    vehicle: Weights = None,
    plate: Weights = None,
    reader: Weights = None,
) -> None:
    """Read plates in pictures, folders and videos.

    A file that cannot be read is one line on standard error and status 1 at the end; the others are still read.
    """
    from platefleet.models.formats import find_format  # noqa: PLC0415 - heavy

    chosen: Format | None = None
    if plate_format is not None:
        try:
            chosen = find_format(plate_format)
        except ConfigError as error:
            raise typer.BadParameter(printable(str(error)), param_hint="--format") from error
    run = _Run(annotate)
    files = list(run.files(paths))
    if files and run.ready(files):
        run.pipeline = _open(vehicle, plate, reader, chosen)
        try:
            run.read(files, as_lines=as_lines)
        finally:
            run.pipeline.close()
    if run.failed:
        raise typer.Exit(1)


def _open(vehicle: Path | None, plate: Path | None, reader: Path | None, chosen: Format | None) -> Pipeline:
    """Open the given weights, the pinned ones where none are given; those are fetched if the cache lacks them."""
    from platefleet.models.pipeline import open_pipeline  # noqa: PLC0415 - heavy
    from platefleet.models.weights import materials  # noqa: PLC0415 - heavy

    if vehicle is None or plate is None or reader is None:
        pinned = materials(photos=False)
        vehicle, plate, reader = vehicle or pinned.vehicle, plate or pinned.plate, reader or pinned.reader
    return open_pipeline(vehicle, plate, reader, plate_format=chosen)


class _Run:
    """One call of the command: what failed, what is shown."""

    pipeline: Pipeline
    _rows: Rows

    def __init__(self, folder: Path | None) -> None:
        self.failed = False
        self._folder = folder
        self._written: set[str] = set()

    def files(self, paths: list[Path]) -> Iterator[Path]:
        """Yield each file that the paths name, once."""
        from platefleet.models.pictures import files_in  # noqa: PLC0415 - heavy

        seen: set[Path] = set()
        for path in paths:
            try:
                named = files_in(path)
            except (PictureError, OSError) as error:
                self._fail(error)
                continue
            fresh = [file for file in named if file not in seen]
            seen.update(fresh)
            yield from fresh

    def ready(self, files: list[Path]) -> bool:
        """Make the folder of the annotated pictures, before models are opened; say if that cannot be done."""
        folder = self._folder
        if folder is None:
            return True
        read_from = next((file for file in files if file.parent.resolve() == folder.resolve()), None)
        if read_from is not None:
            self._fail(PictureError(f"{folder}: holds {read_from.name}, which is to be read; name another folder"))
            return False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return True
        except OSError as error:
            self._fail(PictureError(f"{folder}: cannot be written ({error.strerror}); name another folder"))
            return False

    def read(self, files: list[Path], *, as_lines: bool) -> None:
        """Read the files one after the other; print rows, or a line of JSON for each frame."""
        from rich.console import Console  # noqa: PLC0415 - heavy
        from rich.progress import Progress  # noqa: PLC0415 - heavy

        from platefleet.models.pictures import VIDEO_SUFFIXES  # noqa: PLC0415 - heavy
        from platefleet.models.rows import Rows, columns  # noqa: PLC0415 - heavy

        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        videos = any(file.suffix.lower() in VIDEO_SUFFIXES for file in files)
        self._rows = Rows(sys.stdout, columns([str(file) for file in files], videos=videos, width=width))
        shown = len(files) > 1 and sys.stderr.isatty() and not sys.stdout.isatty()  # rows show it better than a bar
        with (
            open(os.dup(2), "w", encoding="utf-8") as terminal,  # its own, so that no decoder's words hide the bar
            Progress(
                console=Console(file=terminal), transient=True, redirect_stdout=False, disable=not shown
            ) as progress,
        ):
            task = progress.add_task("reading", total=len(files))
            for file in files:
                self._file(file, as_lines=as_lines)
                progress.advance(task)

    def _file(self, file: Path, *, as_lines: bool) -> None:
        from platefleet.models.annotate import as_json  # noqa: PLC0415 - heavy
        from platefleet.models.pictures import frames_of  # noqa: PLC0415 - heavy

        try:
            for number, frame in self._heard(file, frames_of(file)):
                sighting = self.pipeline.look(frame)
                if as_lines:
                    line = as_json(sighting, str(file), number, self.pipeline.vehicle_classes)
                    sys.stdout.write(json.dumps(line) + "\n")
                    sys.stdout.flush()
                elif number == 0 or sighting.plates:  # a row for each file, and for what a video shows
                    self._show(file, number, sighting)
                if self._folder is not None:
                    self._draw(self._folder, file, number, frame, sighting)
        except PictureError as error:
            self._fail(error)

    def _heard(self, file: Path, frames: Iterator[tuple[int, Frame]]) -> Iterator[tuple[int, Frame]]:
        """Yield the frames; what their decoder first says of a file that it can read is told with the file's name."""
        from platefleet.models.overheard import overheard  # noqa: PLC0415 - heavy with the rest

        told = False
        while True:
            with overheard() as words:
                following = next(frames, None)
            if words and not told:
                told = True
                sys.stderr.write(f"platefleet: {printable(f'{file}: read, but its decoder says: {words[0]}')}\n")
            if following is None:
                return
            yield following

    def _draw(self, folder: Path, file: Path, number: int, frame: Frame, sighting: Sighting) -> None:
        """Write one annotated picture under a name that no other file of this call has."""
        import cv2  # noqa: PLC0415 - heavy

        from platefleet.models.annotate import annotated  # noqa: PLC0415 - heavy

        name = stem = file.stem if number == 0 else f"{file.stem}-{number:06d}"
        again = 1
        while name in self._written:
            again += 1
            name = f"{stem}~{again}"
        self._written.add(name)
        picture = annotated(frame, sighting, self.pipeline.vehicle_classes)
        _, encoded = cv2.imencode(".jpg", picture)
        try:
            # Whole or not at all, and in this folder: a link of that name is replaced, and not followed.
            replace_file(folder / f"{name}.jpg", encoded.tobytes(), mode=0o644)
        except OSError as error:
            raise PictureError(f"{folder}: cannot be written ({error.strerror}); name another folder") from error

    def _show(self, file: Path, number: int, sighting: Sighting) -> None:
        """Print a row for each plate of a frame, one row for a frame without."""
        known = {"file": str(file), "frame": str(number), "ms": f"{sighting.ms.get('total', 0):.0f}"}
        if not sighting.plates:
            self._rows.add(**known, plate="no plate")
        for plate in sighting.plates:
            reading = plate.reading
            self._rows.add(
                **known,
                plate=reading.text or "unread",
                sure=f"{reading.mean:.2f}",
                least=f"{reading.minimum:.2f}",
                vehicle="" if plate.vehicle is None else self._vehicle_name(sighting, plate.vehicle),
                box=" ".join(f"{side:.0f}" for side in plate.box),
            )

    def _vehicle_name(self, sighting: Sighting, index: int) -> str:
        return self.pipeline.vehicle_classes[int(sighting.vehicles.classes[index])]

    def _fail(self, error: Exception) -> None:
        """Say on standard error, in one line, which file cannot be read."""
        self.failed = True
        sys.stderr.write(f"platefleet: {printable(str(error))}\n")
