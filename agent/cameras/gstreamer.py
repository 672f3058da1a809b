"""A GStreamer pipeline as a camera: the way to Jetson's hardware decoder.

Example, a network camera through nvv4l2decoder (the sink must be an appsink that gives BGR):

    rtspsrc location=rtsp://10.0.0.9/live protocols=tcp latency=200 ! rtph264depay ! h264parse ! nvv4l2decoder !
    nvvidconv ! video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1
"""

from __future__ import annotations

import cv2

from platefleet.agent.cameras.capture import Capture
from platefleet.protocol.errors import CameraError


def has_gstreamer() -> bool:
    """Whether the OpenCV of this environment was built with GStreamer."""
    return bool(cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER))


def open_gstreamer(pipeline: str) -> Capture:
    """Open a pipeline that ends in an appsink. Raises CameraError if it cannot be run here."""
    if not has_gstreamer():
        raise CameraError(
            f"this OpenCV ({cv2.__version__}) is built without GStreamer, so a pipeline cannot be opened; use "
            "JetPack's own OpenCV (a virtual environment with --system-site-packages) or a camera of kind rtsp"
        )
    return Capture(pipeline, cv2.CAP_GSTREAMER, name="the GStreamer pipeline")
