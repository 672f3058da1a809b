"""What the console's commands raise."""

from __future__ import annotations

from platefleet.protocol.errors import PlatefleetError


class ConsoleError(PlatefleetError):
    """An order that cannot be given: nobody to give it to, arguments that do not fit, a key that may not."""
