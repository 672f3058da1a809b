"""Network cameras over RTSP, always over TCP: over UDP a busy network smears the picture. Also http and https."""

from __future__ import annotations

import os

import cv2

from platefleet.agent.cameras.capture import Capture
from platefleet.agent.cameras.secrets import hide, with_credentials

FFMPEG_OPTIONS = "rtsp_transport;tcp|allowed_media_types;video|fflags;discardcorrupt|fpsprobesize;2"
"""For libavformat, as OpenCV reads them from the environment when it opens a stream. A frame with missing packets is
left out: half a picture reads as another plate. Two frames are enough to guess the rate; by default a second of them is
collected first, and the camera opens that much later (measured: 1.05 s, and 0.16 s with this)."""


NEVER_MS = 3_600_000
"""OpenCV's own timeouts are put out of the way: the reader outside watches, and says what it waited for."""


def open_rtsp(url: str, *, username: str | None = None, password: str | None = None) -> Capture:
    """Open a stream; call it in a process of its own, for it sets an environment variable. Raises CameraError.

    JPEG pictures over http carry no times and libavformat makes some up, 25 a second: there the arrival counts.
    """
    timed = url.lower().startswith(("rtsp:", "rtsps:"))
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = FFMPEG_OPTIONS
    parameters = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, NEVER_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, NEVER_MS)
    return Capture(with_credentials(url, username, password), cv2.CAP_FFMPEG, parameters, name=hide(url), timed=timed)
