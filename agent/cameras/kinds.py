"""From a camera's kind to the function that opens it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from platefleet.agent.cameras.file import open_file
from platefleet.agent.cameras.folder import open_folder
from platefleet.agent.cameras.gstreamer import open_gstreamer
from platefleet.agent.cameras.port import Source
from platefleet.agent.cameras.rtsp import open_rtsp
from platefleet.agent.cameras.v4l2 import open_v4l2
from platefleet.protocol.errors import CameraError

Options = Mapping[str, object]
"""`kind` and what the kind's own function takes; JSON can carry it."""

KINDS: Mapping[str, Callable[..., Source]] = {
    "rtsp": open_rtsp,
    "file": open_file,
    "folder": open_folder,
    "v4l2": open_v4l2,
    "gstreamer": open_gstreamer,
}


def open_source(options: Options) -> Source:
    """Open the camera that `options` name. Raises CameraError."""
    kind = str(options.get("kind"))
    if kind not in KINDS:
        raise CameraError(f"camera.kind: {kind!r} is none of {', '.join(KINDS)}")
    return KINDS[kind](**{key: value for key, value in options.items() if key != "kind" and value is not None})
