"""The console's settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from platefleet.fleet.store.opening import parse
from platefleet.protocol.errors import ConfigError
from platefleet.protocol.session import Broker, Tls
from platefleet.protocol.settings_errors import checked, read_toml


class Section(BaseModel):
    """One table: frozen; unknown keys are refused, nothing is converted."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class BrokerSettings(Section):
    """The MQTT 5 broker."""

    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65_535)] = 1883
    username: str | None = None
    password_file: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    tls: bool = False
    keepalive_s: Annotated[int, Field(ge=1, le=3600)] = 15

    def broker(self, folder: Path) -> Broker:
        """Return how to reach it. Raises ConfigError if the password cannot be read."""
        files = [None if name is None else folder / name for name in (self.ca_file, self.cert_file, self.key_file)]
        password = None
        if self.password_file is not None:
            path = folder / self.password_file
            try:
                password = path.read_text(encoding="utf-8").removesuffix("\n")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"broker.password_file: {path} cannot be read ({error}); check it.") from error
        return Broker(
            self.host,
            self.port,
            username=self.username,
            password=password,
            tls=Tls(*files) if self.tls or any(files) else None,
            keepalive_s=self.keepalive_s,
            in_flight=200,
        )


class AlarmSettings(Section):
    """When somebody is called. after_s: so long a silence; webhook, command: who, one of them."""

    silent_after_s: Annotated[int, Field(ge=10, le=86_400)] = 300
    camera_after_s: Annotated[int, Field(ge=10, le=86_400)] = 300
    webhook: str = ""
    command: Annotated[tuple[str, ...], Field(strict=False, max_length=32)] = ()
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0

    @model_validator(mode="after")
    def _one(self) -> AlarmSettings:
        if self.webhook and self.command:
            raise ValueError("webhook and command exclude each other; name one")
        return self


class ConsoleSettings(Section):
    """The whole file."""

    client: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = "console"
    database: Annotated[str, Field(min_length=1)] = "sqlite:///console.db"
    broker: BrokerSettings
    alarms: AlarmSettings = Field(default_factory=AlarmSettings)
    folder: Path = Field(default=Path(), exclude=True, description="of this file; not to be set")


def load(path: Path) -> ConsoleSettings:
    """Return the settings in a file. Raises ConfigError naming every key that is wrong."""
    settings = checked(ConsoleSettings, read_toml(path), str(path))
    return settings.model_copy(update={"folder": path.parent, "database": _beside(settings.database, path.parent)})


def _beside(database: str, folder: Path) -> str:
    """Return a database's URL; an SQLite file without a folder lies beside the settings, like every other file."""
    url = parse(database)
    if url.get_backend_name() != "sqlite" or not url.database or Path(url.database).is_absolute():
        return database
    return f"sqlite:///{folder.absolute() / url.database}"
