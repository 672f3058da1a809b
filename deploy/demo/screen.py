"""Where the demo prints, from several threads."""

from __future__ import annotations

import os
import sys

from rich.console import Console

from platefleet.deploy.interrupts import Interrupts


class Screen(Console):
    """Standard output. When nobody reads it any more (`| head`) the demo ends as by Ctrl-C, whichever thread printed.

    rich itself would end the thread, which may be one of the agent's, and leave the rest waiting for it.
    """

    def __init__(self, interrupts: Interrupts) -> None:
        super().__init__(soft_wrap=True)  # a path is no path any more when it is broken
        self._interrupts = interrupts

    def on_broken_pipe(self) -> None:
        """Print no more, and let the main thread end at its next check."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        self._interrupts.heard = True
