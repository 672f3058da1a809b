"""What a gate controller may be told: one TOML file, checked as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from platefleet.fleet.gate.allow_list import ALPHABET
from platefleet.fleet.gate.lane_settings import LaneSettings, PassbackSettings
from platefleet.fleet.gate.match import Matching
from platefleet.fleet.gate.setting_types import AnyPath, OrderField, Seconds, Section, Text, askable_url, known_zone
from platefleet.protocol.errors import ConfigError
from platefleet.protocol.ids import DeviceId
from platefleet.protocol.session.settings import Broker, Tls
from platefleet.protocol.settings_errors import problems, read_toml, refused


class TlsSettings(Section):
    """TLS to the broker, whose name is always checked against its certificate."""

    ca_file: AnyPath | None = Field(None, description="PEM of who signs the broker's certificate; none: the system's")
    cert_file: AnyPath | None = Field(None, description="PEM of the gate's certificate")
    key_file: AnyPath | None = Field(None, description="PEM of its key")


class BrokerSettings(Section):
    """`[broker]`."""

    host: Text = Field("127.0.0.1", description="the broker's name or address")
    port: Annotated[int, Field(ge=1, le=65_535)] = Field(1883, description="8883 is usual with TLS")
    username: Text | None = Field(None, description="the gate's user; the broker ties it to the gate's name")
    password_file: AnyPath | None = Field(None, description="a file that holds the password alone")
    keepalive_s: Annotated[int, Field(ge=1, le=600)] = Field(
        15, description="a link that answers nothing is given up after 1.5 times this"
    )
    tls: TlsSettings | None = Field(None, description="`[broker.tls]`, also empty, turns TLS on")

    def broker(self) -> Broker:
        """Return it as the session takes it. Raises ConfigError if the password cannot be read."""
        tls = None if self.tls is None else Tls(self.tls.ca_file, self.tls.cert_file, self.tls.key_file)
        password = None
        if self.password_file is not None:
            try:
                password = self.password_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"broker.password_file: {self.password_file} cannot be read ({error}).") from error
        return Broker(self.host, self.port, self.username, password, tls, keepalive_s=self.keepalive_s)


class AllowListSettings(Section):
    """`[allow_list]`."""

    file: AnyPath = Field(description="CSV with a header of plate,valid_from,valid_until,weekdays,name")
    alphabet: Annotated[str, Field(min_length=2, max_length=128)] = Field(
        ALPHABET, description="characters that the readers of this site tell"
    )


class LookAlikes(Section):
    """`[[matching.look_alikes]]`."""

    length: Annotated[int, Field(ge=2, le=12)] = Field(description="characters of the plate, at least")
    budget: Annotated[int, Field(ge=0, le=3)] = Field(description="look-alikes then allowed")


class MatchingSettings(Section):
    """`[matching]`; nothing in it: exact."""

    look_alikes: list[LookAlikes] = Field([], max_length=12, description="by length of the plate; none: exact")
    alternative_least: Annotated[float, Field(ge=0.001, le=1)] = Field(
        0.05, description="confidence that the reader must have given the other character"
    )

    def matching(self) -> Matching:
        """Return it as the matcher takes it."""
        return Matching(tuple(sorted((s.length, s.budget) for s in self.look_alikes)), self.alternative_least)


class PrintOutput(Section):
    """A line on standard output."""

    kind: Literal["print"]


class CommandOutput(Section):
    """A program; see `outputs/command.py`."""

    kind: Literal["command"]
    argv: Annotated[list[Text], Field(min_length=1, max_length=64)] = Field(
        description="program, arguments; one that is `{lane}`, `{plate}`, `{device}`, `{gate}` or `{pass}` is filled in"
    )
    timeout_s: Seconds = Field(5.0, description="then it is killed, and has failed")


class HttpOutput(Section):
    """A request to a URL; see `outputs/http.py`."""

    kind: Literal["http"]
    url: Annotated[Text, AfterValidator(askable_url)] = Field(description="http or https; redirects are not followed")
    method: Literal["GET", "POST", "PUT"] = Field("POST", description="GET sends the parameters in the query")
    parameters: dict[Text, OrderField] = Field(
        {}, max_length=16, description="name in the request = lane, plate, device, gate or pass"
    )
    headers: dict[Text, SecretStr] = Field({}, max_length=16, description="sent as they are; never shown")
    timeout_s: Seconds = Field(5.0, description="for the whole request; then it has failed")
    ca_file: AnyPath | None = Field(None, description="PEM of who signs the server's certificate; none: the system's")


class GpioOutput(Section):
    """A GPIO line through libgpiod; see `outputs/gpio.py`."""

    kind: Literal["gpio"]
    chip: Text = Field("/dev/gpiochip0", description="the chip's device file")
    line: Annotated[int, Field(ge=0, le=4095)] = Field(description="the line's number on the chip")
    pulse_ms: Annotated[int, Field(ge=10, le=5000)] = Field(500, description="how long the line is active")
    active_low: bool = Field(False, description="active means low")


OutputSettings = Annotated[PrintOutput | CommandOutput | HttpOutput | GpioOutput, Field(discriminator="kind")]


class AlarmSettings(Section):
    """`[alarm]`: whom to call, once for each new problem that may leave a vehicle before a closed barrier."""

    command: Annotated[list[Text], Field(min_length=1, max_length=64)] | None = Field(
        None,
        description="program, arguments; `{gate}`, `{kind}`, `{device}`, `{lane}` or `{problem}` alone is filled in",
    )
    url: Annotated[Text, AfterValidator(askable_url)] | None = Field(
        None, description="instead of a program: a POST with gate, kind, device, lane and problem as a form"
    )
    headers: dict[Text, SecretStr] = Field({}, max_length=16, description="sent with it; never shown")
    ca_file: AnyPath | None = Field(None, description="PEM of who signs the server's certificate; none: the system's")
    timeout_s: Seconds = Field(10.0, description="then it has failed; it is tried three times")

    @model_validator(mode="after")
    def _one(self) -> AlarmSettings:
        if (self.command is None) == (self.url is None):
            raise ValueError("command or url has to be given, one of them")
        return self


class OutboxSettings(Section):
    """`[outbox]`: where the gate's decisions wait for the store."""

    file: AnyPath | None = Field(
        None, description="its database, on a disk that lasts; none: beside the journal, with its name and `.outbox`"
    )
    quota_bytes: Annotated[int, Field(ge=1 << 20, le=1 << 40)] = Field(
        256 << 20, description="at most; what the store has gives way first, then the oldest, told and counted"
    )
    keep_days: Annotated[float, Field(ge=0, le=3650, allow_inf_nan=False)] = Field(
        30.0, description="how long what the store has is kept, for a store that is restored from a backup"
    )


class GateSettings(Section):
    """The whole file."""

    name: DeviceId = Field(description="the gate's own name: client id and user at the broker; one machine a name")
    journal: AnyPath = Field(
        description="the journal's file, on a disk that lasts; its folder also holds lock and socket"
    )
    zone: Annotated[str, AfterValidator(known_zone)] = Field(
        "UTC", description="IANA zone in which days and weekdays are meant"
    )
    assume_synced: bool = Field(
        False,
        description="you vouch for the clock; otherwise the kernel's synchronised flag decides about dated entries",
    )
    broker: BrokerSettings = BrokerSettings()
    allow_list: AllowListSettings | None = None
    matching: MatchingSettings = MatchingSettings()
    outputs: dict[DeviceId, OutputSettings] = Field({})
    outbox: OutboxSettings = OutboxSettings()
    alarm: AlarmSettings | None = None
    passback: PassbackSettings | None = None
    lanes: Annotated[list[LaneSettings], Field(min_length=1, max_length=64)]

    @model_validator(mode="after")
    def _lanes_once(self) -> GateSettings:
        keys = [(lane.device, lane.lane) for lane in self.lanes]
        twice = sorted({f"{device}/{lane}" for device, lane in keys if keys.count((device, lane)) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands twice in lanes; once would be right")
        if self.passback is None and any(lane.area for lane in self.lanes):
            raise ValueError("lanes have an area, and there is no [passback]; add it, soft or hard")
        return self


def load(path: Path) -> GateSettings:
    """Return the settings of a TOML file. Raises ConfigError that names every key that cannot be used."""
    data = read_toml(path)
    try:
        settings = GateSettings.model_validate(data, context={"folder": str(path.parent)})
    except ValidationError as error:
        raise refused(str(path), problems(error, GateSettings)) from error
    wrong = [
        f"lanes[{number}].{key}: {unknown_output(name, settings.outputs)}"
        for number, lane in enumerate(settings.lanes)
        for key, name in lane.outputs_by_key().items()
        if name not in settings.outputs
    ]
    if settings.allow_list is None:
        wrong.append("allow_list: missing; name its file under [allow_list]")
    if wrong:
        raise refused(str(path), wrong)
    return settings


def unknown_output(name: str, outputs: dict[str, Any]) -> str:
    """Return what is wrong with a lane's output, and what would be right."""
    known = ", ".join(sorted(outputs)) or "none yet"
    return f"there is no [outputs.{name}]; known here: {known}"
