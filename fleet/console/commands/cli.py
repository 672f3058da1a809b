"""The operators' commands under `platefleet fleet`."""

from __future__ import annotations

import typer

from platefleet.fleet.console.commands import asking, desire, devices, enrolling, send

app = typer.Typer(pretty_exceptions_enable=False)
for part in (devices, send, desire, asking, enrolling):
    part.mount(app)
