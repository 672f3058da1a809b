"""The whole settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, PlainValidator, SecretStr, ValidationInfo, field_validator, model_validator

from platefleet.agent.settings.base import AnyPath, FileThere, Fraction, Port, Section, Threads, placed, there
from platefleet.agent.settings.commands import CommandSettings
from platefleet.agent.settings.lanes import Lane
from platefleet.agent.settings.own_frames import OwnFrames
from platefleet.agent.settings.passes import Passes
from platefleet.agent.settings.trial import TrialSettings
from platefleet.models.countries import FORMATS
from platefleet.models.ctc import ALPHABET
from platefleet.models.formats import parse_format
from platefleet.models.pipeline import OVERLAP, PLATE_CONFIDENCE, PLATE_SIZE, VEHICLE_CONFIDENCE, VEHICLE_SIZE
from platefleet.protocol.delivery.durable import KEEP_DAYS, QUOTA_BYTES, QUOTA_RECORDS
from platefleet.protocol.errors import ConfigError
from platefleet.protocol.ids import DeviceId, StoreId

Side = Annotated[int, Field(ge=32, le=4096, multiple_of=32)]


def _weights(value: object, info: ValidationInfo) -> str | Path:
    """Return "pinned", or the path of a file that is there."""
    if value == "pinned":
        return "pinned"
    if not isinstance(value, str) or not value:
        raise ValueError('"pinned" or the path of an .onnx or .pt file would be right')
    return there(placed(value, info))


Weights = Annotated[str | Path, PlainValidator(_weights)]
"""The word `pinned`, or a file that must be there."""


class TlsSettings(Section):
    """TLS to the broker, whose name is always checked against its certificate."""

    ca_file: FileThere | None = Field(
        None, description="PEM of who signs the broker's certificate; not given: the system's authorities"
    )
    cert_file: FileThere | None = Field(None, description="PEM of the device's certificate")
    key_file: FileThere | None = Field(None, description="PEM of its key, not encrypted")

    @model_validator(mode="after")
    def _pair(self) -> TlsSettings:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together; give both or neither")
        return self


class BrokerSettings(Section):
    """The MQTT 5 broker."""

    host: Annotated[str, Field(min_length=1, max_length=253)] = Field(description="its name or address")
    port: Port = Field(1883, description="1883, with TLS usually 8883")
    username: Annotated[str, Field(min_length=1, max_length=256)] | None = Field(
        None, description="the device's user at the broker; usually its id"
    )
    password_file: FileThere | None = Field(None, description="a file that holds the password alone")
    password: SecretStr | None = Field(None, description="by environment variable only")
    tls: TlsSettings | None = Field(None, description="a table, empty for the defaults; not given: no TLS")
    keepalive_s: Annotated[int, Field(ge=1, le=3600)] = Field(
        15, description="a link silent for 1.5 times this is lost"
    )
    probe: bool = Field(
        True, description="measure at the first connection what the broker honours, and say which line to change"
    )

    @model_validator(mode="after")
    def _whose(self) -> BrokerSettings:
        if self.username is None and (self.password is not None or self.password_file is not None):
            raise ValueError("a password is given without username; give both or neither")
        return self


class ModelSettings(Section):
    """What sees and reads."""

    vehicle: Weights = Field("pinned", description='finds vehicles: "pinned" (fetched once by digest) or an .onnx file')
    plate: Weights = Field("pinned", description="finds plates: the same")
    reader: Weights = Field("pinned", description="reads plates: the same, a PP-OCR recogniser")
    vehicle_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="the digest that the file must have")
    plate_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="the same; a `.pt` is refused without")
    reader_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="the same")
    vehicle_size: Side = Field(VEHICLE_SIZE, description="side in pixels of what the vehicle model sees")
    plate_size: Side = Field(PLATE_SIZE, description="the same for the plate model")
    vehicle_confidence: Fraction = Field(VEHICLE_CONFIDENCE, description="a vehicle's box is kept from here on")
    plate_confidence: Fraction = Field(PLATE_CONFIDENCE, description="a plate's box is kept from here on")
    overlap: Fraction = Field(OVERLAP, description="two boxes that overlap more are one")
    store: AnyPath | None = Field(
        None,
        description="the folder of artifacts that `platefleet models` keeps; what it says is active serves instead of "
        "the three above, and is switched while the agent runs",
    )
    threads: Threads | None = Field(None, description="of the processor for each model; not given: its cores")
    alphabet: Annotated[str, Field(min_length=1, max_length=256)] = Field(ALPHABET, description="characters of plates")


class CropSettings(Section):
    """Pictures for the store; gates get none."""

    enabled: bool = Field(True, description="keep pictures of plate and vehicle with each told revision")
    plate_bytes: Annotated[int, Field(ge=1024, le=96 * 1024)] = Field(
        24 * 1024, description="the plate's JPEG, at most"
    )
    vehicle_bytes: Annotated[int, Field(ge=1024, le=96 * 1024)] = Field(64 * 1024, description="the vehicle's, at most")
    quality: Annotated[int, Field(ge=1, le=100)] = Field(90, description="JPEG's; lowered to fit")

    @model_validator(mode="after")
    def _one_record(self) -> CropSettings:
        if self.plate_bytes + self.vehicle_bytes > 120 * 1024:
            raise ValueError("plate_bytes and vehicle_bytes together are above 122880; a record holds no more")
        return self


class OutboxSettings(Section):
    """What is kept on the disk until the store has it, and open passes for the agent's next start."""

    file: AnyPath | None = Field(
        None,
        description="its database, on a disk that lasts; not given: `DEVICE.outbox` in systemd's `STATE_DIRECTORY`, "
        "else in `platefleet` in `XDG_STATE_HOME` or `~/.local/state`",
    )
    quota_bytes: Annotated[int, Field(ge=1 << 20, le=1 << 40)] = Field(QUOTA_BYTES, description="bytes, at most")
    quota_records: Annotated[int, Field(ge=100, le=10_000_000)] = Field(QUOTA_RECORDS, description="records, at most")
    keep_days: Annotated[float, Field(ge=0, le=3650, allow_inf_nan=False)] = Field(
        KEEP_DAYS, description="what the store has is kept so long, or until its place is needed, to fill it again"
    )
    store: StoreId | None = Field(None, description="the one store that is believed; not given: the first heard")
    live_limit_ms: Annotated[int, Field(ge=500, le=10_000)] = Field(
        10_000, description="a plate event older than this is not told live"
    )


class HealthSettings(Section):
    """How often the device tells how it is doing."""

    interval_s: Annotated[float, Field(ge=1, le=3600)] = Field(30.0, description="between two reports")
    disk_least_bytes: Annotated[int, Field(ge=0)] = Field(256 << 20, description="less free space is a problem")


class ClockSettings(Section):
    """Whether the machine's clock can be believed."""

    assume_synced: bool = Field(False, description="set where something else than the kernel keeps the time")


class Settings(Section):
    """One device."""

    device: DeviceId = Field(description="MQTT client id and, with certificates, their common name")
    broker: BrokerSettings = Field(description="the table below")
    lanes: Annotated[tuple[Lane, ...], Field(strict=False, max_length=64)] = Field(
        description="one table for each lane"
    )
    models: ModelSettings = Field(default_factory=ModelSettings, description="the table below")
    passes: Passes = Field(default_factory=Passes, description="the table below")
    crops: CropSettings = Field(default_factory=CropSettings, description="the table below")
    outbox: OutboxSettings = Field(default_factory=OutboxSettings, description="the table below")
    health: HealthSettings = Field(default_factory=HealthSettings, description="the table below")
    own_frames: OwnFrames = Field(default_factory=OwnFrames, description="the table below")
    trial: TrialSettings = Field(default_factory=TrialSettings, description="the table below")
    commands: CommandSettings = Field(default_factory=CommandSettings, description="the table below")
    clock: ClockSettings = Field(default_factory=ClockSettings, description="the table below")
    formats: dict[str, Annotated[tuple[str, ...], Field(strict=False)]] = Field(
        default_factory=dict, description='plate formats of your own: `mine = ["AA999AA"]`'
    )

    @field_validator("formats")
    @classmethod
    def _patterns(cls, formats: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        try:
            for name, patterns in formats.items():
                parse_format(name, patterns)
        except ConfigError as error:
            raise ValueError(str(error).removeprefix("formats.")) from error
        return formats

    @field_validator("lanes")
    @classmethod
    def _distinct(cls, lanes: tuple[Lane, ...]) -> tuple[Lane, ...]:
        if not lanes:
            raise ValueError("there is no lane; add a table [[lanes]] for each camera")
        names = [lane.name for lane in lanes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two lanes are called {', '.join(twice)}; give each lane a name of its own")
        return lanes

    @model_validator(mode="after")
    def _formats_known(self) -> Settings:
        for number, lane in enumerate(self.lanes):
            if lane.format is not None and lane.format not in {**FORMATS, **self.formats}:
                known = ", ".join(sorted({*FORMATS, *self.formats}))
                raise ValueError(f"lanes[{number}].format: {lane.format!r} is not known; one of {known} would be right")
        return self
