"""The operators' commands under `platefleet fleet`."""

from __future__ import annotations

import typer

from platefleet.fleet.console.commands import asking, devices, send

app = typer.Typer(pretty_exceptions_enable=False)
for part in (devices, send, asking):
    part.mount(app)
