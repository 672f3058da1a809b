"""The end of a process that leaves a thread behind in a library's native code."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn


def leave(status: int) -> NoReturn:
    """End the process now, with everything said. Everything that is to be closed must have been.

    A model that is still at work when the interpreter ends comes back into it as a C++ exception that nobody catches:
    the process would be aborted (SIGABRT) instead of ending with its status.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)
