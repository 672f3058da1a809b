"""`[lanes.camera]`: one model a kind of camera."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from platefleet.agent.cameras.secrets import misquoted
from platefleet.agent.settings.base import AnyPath, FileThere, Pixels, Seconds, Section
from platefleet.protocol.errors import CameraError

Text = Annotated[str, Field(min_length=1, max_length=4096)]
Rate = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]


class _Watched(Section):
    """What every camera has: how long it may be silent."""

    open_timeout_s: Seconds = Field(15.0, description="a camera that does not open within this is opened again")
    stall_timeout_s: Seconds = Field(5.0, description="without a frame for so long the camera is opened again")

    def options(self) -> dict[str, object]:
        """Return what `cameras.kinds.open_source` takes. Raises CameraError if a password cannot be read."""
        kept = self.model_dump(exclude={"open_timeout_s", "stall_timeout_s", "password_file", "every_frame"})
        return {
            key: value.get_secret_value() if isinstance(value, SecretStr) else str(value) if key == "path" else value
            for key, value in kept.items()
        }


class RtspCamera(_Watched):
    """A network camera, over TCP."""

    kind: Literal["rtsp"] = Field(description="this kind")
    url: SecretStr = Field(description="`rtsp://…`, also `http://…`; better without the password: see `password_file`")
    username: Text | None = Field(None, description="the camera's user")
    password_file: FileThere | None = Field(None, description="a file that holds the camera's password alone")
    password: SecretStr | None = Field(None, description="by environment variable only")

    @field_validator("url")
    @classmethod
    def _address(cls, url: SecretStr) -> SecretStr:
        scheme, separator, rest = url.get_secret_value().partition("://")
        if not separator or scheme.lower() not in {"rtsp", "rtsps", "http", "https"} or not rest:
            raise ValueError("an address such as rtsp://10.0.0.9:554/live would be right")
        if wrong := misquoted(rest):
            raise ValueError(f"{wrong} must be percent-encoded (`/` is %2F, `@` is %40); or use `password_file`")
        return url

    def options(self) -> dict[str, object]:
        """Return what `open_rtsp` takes, the password as its file holds it now. Raises CameraError."""
        options = super().options()
        if self.password_file is not None:
            try:
                options["password"] = self.password_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise CameraError(f"password_file {self.password_file}: cannot be read ({error}); check it") from error
        return options


class FileCamera(_Watched):
    """A video file."""

    kind: Literal["file"] = Field(description="this kind")
    path: AnyPath = Field(description="the video")
    loop: bool = Field(False, description="begin again at the end")
    real_time: bool = Field(True, description="no faster than it was filmed")
    every_frame: bool = Field(False, description="drop no frame, whatever it takes: for demos and tests")


class FolderCamera(_Watched):
    """A folder of pictures, in the order of their names."""

    kind: Literal["folder"] = Field(description="this kind")
    path: AnyPath = Field(description="the folder")
    fps: Rate = Field(10.0, description="pictures per second")
    loop: bool = Field(False, description="begin again at the end")
    real_time: bool = Field(True, description="no faster than `fps`")
    every_frame: bool = Field(False, description="drop no picture, whatever it takes: for demos and tests")


class V4l2Camera(_Watched):
    """A camera on this machine's own bus."""

    kind: Literal["v4l2"] = Field(description="this kind")
    device: Text = Field("/dev/video0", description="the device file")
    width: Pixels | None = Field(None, description="a wish; the driver takes the nearest it can")
    height: Pixels | None = Field(None, description="a wish; the driver takes the nearest it can")
    fps: Rate | None = Field(None, description="a wish; the driver takes the nearest it can")


class GstreamerCamera(_Watched):
    """A GStreamer pipeline: the way to Jetson's hardware decoder; needs an OpenCV built with GStreamer."""

    kind: Literal["gstreamer"] = Field(description="this kind")
    pipeline: SecretStr = Field(description="ends in `appsink`, which must give BGR; see deploy/agent.example.toml")

    @field_validator("pipeline")
    @classmethod
    def _sink(cls, pipeline: SecretStr) -> SecretStr:
        if "appsink" not in pipeline.get_secret_value():
            raise ValueError("a pipeline that ends in `… ! video/x-raw,format=BGR ! appsink drop=true` would be right")
        return pipeline


Camera = RtspCamera | FileCamera | FolderCamera | V4l2Camera | GstreamerCamera


def works_through_every_frame(camera: Camera) -> bool:
    """Whether a camera is a file or folder whose frames are all to be worked through."""
    return isinstance(camera, FileCamera | FolderCamera) and camera.every_frame


def where(camera: Camera) -> Path | None:
    """Return the file or folder that a camera reads, or None for one that is no file."""
    return camera.path if isinstance(camera, FileCamera | FolderCamera) else None
