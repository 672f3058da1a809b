"""Make OpenCV importable in this environment.

`opencv-python` wants the system's libGL and X libraries, which a server without a screen does not have; the same
release without windows, `opencv-python-headless`, wants none. If the first cannot be loaded, the second takes over.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys


def loads() -> bool:
    """Whether a fresh interpreter can import cv2."""
    return subprocess.run([sys.executable, "-c", "import cv2"], capture_output=True, check=False).returncode == 0


def main() -> int:
    """Return 0 if cv2 loads, with the headless build put in place where that was needed."""
    if loads():
        return 0
    release = importlib.metadata.version("opencv-python")
    print(f"this machine has no screen libraries: taking opencv-python-headless {release} instead of opencv-python")
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "uninstall", "--quiet", "--yes", "opencv-python"], check=True)
    subprocess.run([*pip, "install", "--quiet", "--no-deps", f"opencv-python-headless=={release}"], check=True)
    if loads():
        return 0
    print("OpenCV cannot be loaded here; `python -c 'import cv2'` in .venv shows why", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
