"""Whether a file is an ONNX model, and all of one: asked before it is taken in. `models build` checks it thoroughly."""

from __future__ import annotations

from pathlib import Path

from platefleet.models.errors import ArtifactError


def require_whole(path: Path, name: str) -> None:
    """Raise ArtifactError for a file that is no ONNX model, or whose weights lie in others. Without onnx do nothing.

    path: a copy with nothing else in its folder, so that what stayed behind is missed. name: what the sentence calls
    it. Raises OSError for a file that cannot be read.
    """
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
