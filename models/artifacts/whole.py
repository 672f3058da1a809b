"""Whether a file is the weights that its suffix names: asked before it is taken in; `models build` is thorough."""

from __future__ import annotations

from pathlib import Path

from platefleet.models.errors import ArtifactError


def require_whole(path: Path, name: str) -> None:
    """Raise ArtifactError for a `.pt` that is no checkpoint, an `.onnx` that is none or has its weights in other files.

    Nothing of a checkpoint is loaded; without onnx no ONNX is looked at.

    path: a copy with nothing else in its folder, so that what stayed behind is missed. name: what the sentence calls
    it. Raises OSError for a file that cannot be read.
    """
    if path.suffix == ".pt":
        with path.open("rb") as file:
            head = file.read(2)
        if not head.startswith((b"PK", b"\x80")):  # a zip of torch's, or a pickle of an early release
            raise ArtifactError(f"{name}: is no checkpoint of PyTorch; check the file")
        return
    try:
        import onnx  # noqa: PLC0415 - an extra, loaded when used
    except ImportError:
        return
    try:
        model = onnx.load(str(path), load_external_data=False)
    except OSError:
        raise
    except Exception as error:  # protobuf's and onnx's own, which share no base
        raise ArtifactError(f"{name}: is no ONNX model ({_line(error)}); export it again") from error
    if not model.graph.node:
        raise ArtifactError(f"{name}: is no ONNX model (it has no graph); export it again")
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except Exception as error:  # which one depends on the release of onnx
        raise ArtifactError(f"{name}: some of its weights lie in another file; export it into one") from error


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
