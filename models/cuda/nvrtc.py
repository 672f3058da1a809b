"""CUDA C++ to machine code by NVRTC, through ctypes: a runtime image of a Jetson has no nvcc."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from platefleet.models.errors import MissingExtra
from platefleet.protocol.errors import ModelError

_NAMES = ("libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2")
_TOOLKITS = ("/usr/local/cuda/lib64", "/usr/local/cuda/targets/aarch64-linux/lib")


def compiled(source: str, compute_capability: tuple[int, int], defines: Sequence[str] = ()) -> bytes:
    """Return the machine code (a cubin) of `source` for a GPU.

    defines: as "NAME=value". Every step rounds by itself (`-fmad=false`) and division is IEEE's.
    Raises MissingExtra without NVRTC, ModelError with the compiler's first complaint.
    """
    nvrtc = _library()
    program = ctypes.c_void_p()
    _check(nvrtc, nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"platefleet.cu", 0, None, None))
    try:
        major, minor = compute_capability
        options = [f"--gpu-architecture=sm_{major}{minor}", "-fmad=false", "-prec-div=true"]
        words = [option.encode() for option in [*options, *(f"-D{define}" for define in defines)]]
        array = (ctypes.c_char_p * len(words))(*words)
        if nvrtc.nvrtcCompileProgram(program, len(words), array) != 0:
            raise ModelError(f"the GPU's kernels do not compile ({_log(nvrtc, program)}); update CUDA's NVRTC")
        size = ctypes.c_size_t()
        _check(nvrtc, nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size)))
        code = ctypes.create_string_buffer(size.value)
        _check(nvrtc, nvrtc.nvrtcGetCUBIN(program, code))
        return code.raw
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


@functools.cache
def _library() -> Any:
    """Return NVRTC with CUBIN output (11.1 and later), from where the loader, CUDA's folders or pip have it."""
    for candidate in _candidates():
        try:
            library = ctypes.CDLL(candidate)
        except OSError:
            continue
        if hasattr(library, "nvrtcGetCUBIN"):
            library.nvrtcGetErrorString.restype = ctypes.c_char_p
            return library
    raise MissingExtra("CUDA's NVRTC (libnvrtc) is not installed: install cuda-nvrtc, or pip install nvidia-cuda-nvrtc")


def _candidates() -> Iterator[str]:
    """Yield where NVRTC may be, best first."""
    yield from _NAMES
    found = ctypes.util.find_library("nvrtc")
    if found:
        yield found
    folders = [Path(os.environ["CUDA_HOME"]) / "lib64"] if "CUDA_HOME" in os.environ else []
    folders += [Path(folder) for folder in _TOOLKITS]
    for entry in sys.path:
        folders += sorted(Path(entry).glob("nvidia/*/lib")) if entry else []
    for folder in folders:
        for library in sorted(folder.glob("libnvrtc.so*"), reverse=True):
            yield str(library)


def _check(nvrtc: Any, status: int) -> None:
    if status != 0:
        reason = nvrtc.nvrtcGetErrorString(status).decode()
        raise ModelError(f"the GPU's kernels cannot be compiled ({reason}); update CUDA's NVRTC")


def _log(nvrtc: Any, program: ctypes.c_void_p) -> str:
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(max(size.value, 1))
    nvrtc.nvrtcGetProgramLog(program, text)
    lines = [line for line in text.value.decode(errors="replace").splitlines() if "error" in line]
    return (lines or ["no reason given"])[0][:200]
