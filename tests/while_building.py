"""Prints a barrier's frame rate before, during and after an INT8 build and its evaluation on the same processor.

    python -m tests.while_building                 the demo's clip, the pinned models, an `onnx` INT8 build by command
    python -m tests.while_building --quiet 20      the same, standing still for the cars of the clip

The agent looks at every frame, as fast as it goes: there is no idle time that the build could take without being seen.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quiet", type=int, default=0, help="seconds without a car before the build begins")
    parser.add_argument("--before", type=float, default=60.0, help="seconds to look before and after")
    options = parser.parse_args()
    # Here: the build's process loads this file before it makes itself small, as it would load the command line's.
    from tests.beside_a_build import measure  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), quiet_s=options.quiet, before_s=options.before)


if __name__ == "__main__":
    main()
