"""`platefleet ingest`: commit what the devices tell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Commit what the devices tell into the store.", no_args_is_help=True, pretty_exceptions_enable=False
)

Address = Annotated[str, typer.Option(envvar="PLATEFLEET_INGEST_BROKER", help="The broker, as host or host:port.")]
Database = Annotated[
    str, typer.Option(envvar="PLATEFLEET_INGEST_DATABASE", help="Where to commit; made if it is not there.")
]
Slot = Annotated[str, typer.Option(envvar="PLATEFLEET_INGEST_SLOT", help="This worker's name on alpr/1/host/<slot>.")]
Client = Annotated[
    str, typer.Option(envvar="PLATEFLEET_INGEST_CLIENT", help="MQTT client id, ingest-<slot> unless given.")
]
Username = Annotated[str, typer.Option(envvar="PLATEFLEET_INGEST_USERNAME", help="User name at the broker.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        envvar="PLATEFLEET_INGEST_PASSWORD_FILE", help="File with the password (or set PLATEFLEET_INGEST_PASSWORD)."
    ),
]
UseTls = Annotated[
    bool, typer.Option("--tls", envvar="PLATEFLEET_INGEST_TLS", help="TLS by the machine's own authorities.")
]
CaFile = Annotated[
    Path | None, typer.Option(envvar="PLATEFLEET_INGEST_CA_FILE", help="PEM of the broker's authority; turns TLS on.")
]
CertFile = Annotated[
    Path | None, typer.Option(envvar="PLATEFLEET_INGEST_CERT_FILE", help="PEM of our certificate; turns TLS on.")
]
KeyFile = Annotated[
    Path | None, typer.Option(envvar="PLATEFLEET_INGEST_KEY_FILE", help="PEM of our certificate's key.")
]
Group = Annotated[
    str, typer.Option(envvar="PLATEFLEET_INGEST_GROUP", help="Share the messages with the other workers of this group.")
]
Retention = Annotated[
    Path | None,
    typer.Option(
        envvar="PLATEFLEET_INGEST_RETENTION",
        help="Let go of what is older than this file says, every hour; give it to one worker.",
    ),
]


@app.callback()
def ingest() -> None:
    """Commit what the devices tell into the store."""


@app.command(
    epilog="Example: platefleet ingest run --broker localhost:1883 --database sqlite:////var/lib/platefleet/store.db"
)
def run(
    *,
    broker: Address = "localhost:1883",
    database: Database = "sqlite:///store.db",
    slot: Slot = "1",
    client: Client = "",
    username: Username = "",
    password_file: PasswordFile = None,
    tls: UseTls = False,
    ca_file: CaFile = None,
    cert_file: CertFile = None,
    key_file: KeyFile = None,
    group: Group = "",
    retention: Retention = None,
) -> None:
    """Commit records into the store and acknowledge them, until Ctrl-C or SIGTERM.

    A status line is logged each minute. A store that is away is waited for: devices keep what is not acknowledged.
    "again" counts records that the store had: of a standing vehicle, which is announced to the gates every 2 s, or sent
    again because an ack was late.
    """
    import logging  # noqa: PLC0415 - the command line imports what a command needs when it runs

    from platefleet.fleet.ingest.running import run_until_stopped  # noqa: PLC0415
    from platefleet.protocol.session import OPTIONS, Broker, Tls  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    host, port = _address(broker)
    wanted = tls or any((ca_file, cert_file, key_file))
    run_until_stopped(
        client or f"ingest-{slot}",
        Broker(
            host,
            port if port else 8883 if wanted else 1883,
            username=username or None,
            password=_password(password_file),
            tls=Tls(ca_file, cert_file, key_file) if wanted else None,
            names=OPTIONS,
        ),
        database=database,
        slot=slot,
        group=group,
        retention=retention,
    )


def _address(text: str) -> tuple[str, int]:
    r"""Return host and port (0 where none is named). Raises ConfigError.

    >>> _address("broker.example:8883"), _address("[::1]:1883"), _address("localhost")
    (('broker.example', 8883), ('::1', 1883), ('localhost', 0))
    """
    from platefleet.protocol.errors import ConfigError  # noqa: PLC0415

    host, _, port = text.rpartition(":") if text.count(":") == 1 or "]:" in text else (text, "", "0")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"--broker: {text!r} is no address; host:port would be right, for example localhost:1883.")
    return host, int(port)


def _password(file: Path | None) -> str | None:
    """Return the password from the file or the environment; never from the command line, which everybody can read."""
    import os  # noqa: PLC0415

    from platefleet.protocol.errors import ConfigError  # noqa: PLC0415

    if file is None:
        return os.environ.get("PLATEFLEET_INGEST_PASSWORD") or None
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--password-file: {file} cannot be read ({error}); name a file with one line.") from error
