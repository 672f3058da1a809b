"""Outputs as the settings name them."""

from __future__ import annotations

from platefleet.fleet.gate.outputs.base import Output
from platefleet.fleet.gate.outputs.command import Command
from platefleet.fleet.gate.outputs.gpio import Gpio
from platefleet.fleet.gate.outputs.http import Http
from platefleet.fleet.gate.outputs.printed import Print
from platefleet.fleet.gate.settings import (
    AlarmSettings,
    CommandOutput,
    GpioOutput,
    HttpOutput,
    OutputSettings,
    PrintOutput,
)


def build(settings: OutputSettings) -> Output:
    """Return the output. Raises GateError or ConfigError if it cannot be had, e.g. a GPIO line."""
    match settings:
        case PrintOutput():
            return Print()
        case CommandOutput():
            return Command(settings.argv, settings.timeout_s)
        case HttpOutput():
            headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
            return Http(
                settings.url,
                method=settings.method,
                parameters=settings.parameters,
                headers=headers,
                timeout_s=settings.timeout_s,
                ca_file=settings.ca_file,
            )
        case GpioOutput():
            return Gpio(settings.chip, settings.line, pulse_ms=settings.pulse_ms, active_low=settings.active_low)


def receiver(settings: AlarmSettings) -> Command | Http:
    """Return whoever takes the alarms. Raises ConfigError for certificates that cannot be read."""
    if settings.command is not None:
        return Command(settings.command, settings.timeout_s)
    assert settings.url is not None  # the settings refuse neither
    headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
    parameters = {name: name for name in ("gate", "kind", "device", "lane", "problem")}
    return Http(
        settings.url, parameters=parameters, headers=headers, timeout_s=settings.timeout_s, ca_file=settings.ca_file
    )


def longest_s(settings: OutputSettings) -> float:
    """Return how long one pulse may take, in seconds."""
    match settings:
        case CommandOutput() | HttpOutput():
            return settings.timeout_s
        case GpioOutput():
            return settings.pulse_ms / 1000
        case PrintOutput():
            return 1.0
