"""A barrier's two stages at work in a thread of their own, and what frame rate they keep."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType

import numpy as np

from platefleet.models.pipeline import Pipeline
from platefleet.protocol.errors import ModelError
from tests.fake_reader import FakeReader
from tests.gpu.engines import photos_folder, plate, vehicle
from tests.gpu.scene import scene

OPEN_S = 120.0


class Barrier:
    """Looks at one 1080p frame with three vehicles again and again, from memory that is not pinned."""

    def __init__(self, fps: float = 0.0, vehicles: str = "vehicle-fp16", plates: str = "plate-fp16") -> None:
        """fps: 0 looks as often as it can."""
        self._fps, self._names = fps, (vehicles, plates)
        self._over, self._ready = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="barrier")
        self.looks: list[tuple[float, float, int]] = []
        """When each look ended, how many seconds it took, plates found."""
        self.error: ModelError | None = None

    def __enter__(self) -> Barrier:
        self._thread.start()
        if not self._ready.wait(OPEN_S):
            raise TimeoutError("the barrier's models did not open")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        frame = scene(photos_folder())
        try:
            pipeline = Pipeline(vehicle(self._names[0]), plate(self._names[1]), FakeReader({}))
            for _ in range(20):
                pipeline.look(frame)
            self._ready.set()
            due = time.monotonic()
            while not self._over.is_set():
                if self._fps:
                    due = max(due + 1 / self._fps, time.monotonic() - 1 / self._fps)  # what was missed is lost
                    time.sleep(max(due - time.monotonic(), 0))
                began = time.monotonic()
                found = pipeline.look(frame)
                ended = time.monotonic()
                self.looks.append((ended, ended - began, len(found.plates)))
            pipeline.close()
        except ModelError as error:
            self.error = error
            self._ready.set()

    def rate(self, begin: float, end: float) -> dict[str, float]:
        """Return frames a second between two times, in the worst whole second too, and milliseconds of a look."""
        mine = [each for each in self.looks if begin <= each[0] < end]
        ended = np.array([each[0] for each in mine])
        ms = np.array([each[1] for each in mine]) * 1000
        pauses = np.diff(ended, prepend=begin, append=end) * 1000
        seconds = [int(np.count_nonzero((ended >= at) & (ended < at + 1))) for at in np.arange(begin, end - 1, 0.25)]
        if not len(ms):
            return {"per_s": 0.0, "seconds": round(end - begin, 1)}
        return {
            "seconds": round(end - begin, 1),
            "per_s": round(len(mine) / (end - begin), 1),
            "worst_second": float(min(seconds, default=0)),
            "ms_p50": round(float(np.percentile(ms, 50)), 2),
            "ms_p99": round(float(np.percentile(ms, 99)), 2),
            "longest_pause_ms": round(float(pauses.max()), 1),
            "plates_least": float(min(each[2] for each in mine)),
        }


def saved(path: Path, text: str) -> None:
    """Write a figure and print it."""
    path.write_text(text + "\n")
    print(text, flush=True)
