"""`fetch`: a source over HTTPS, from hosts that the device's own configuration names, by digest and size; ONNX only."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from platefleet.models.artifacts.passport import Role
from platefleet.models.errors import ArtifactError
from platefleet.models.operations.port import (
    Arguments,
    Host,
    Hosts,
    Job,
    NotNow,
    Operation,
    Result,
    Step,
    StoppedEarly,
    keeps_artifacts,
)

if TYPE_CHECKING:
    from platefleet.models.artifacts.https import Wanted

DEADLINE_S = 6 * 3600.0
PAUSE_S = 0.2


class Fetch(Arguments):
    """Which file, for which role. sha256, bytes: that it must have.

    anyhow: do not wait for the window and for quiet.
    """

    role: Role
    url: Annotated[str, Field(min_length=12, max_length=500)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=1, le=2 << 30)]
    anyhow: bool = False


class Fetched(Result):
    """Which source the device has now; new: whether it had to be fetched."""

    role: Role
    source: str
    new: bool


def require(arguments: Fetch, host: Host) -> None:
    """Raise ArtifactError where the device keeps no artifacts, or may not ask for this."""
    from platefleet.models.artifacts.https import checked_url  # noqa: PLC0415 - heavy

    keeps_artifacts(arguments, host)
    checked_url(_wanted(arguments, host.hosts))


def run(arguments: Fetch, host: Host, job: Job) -> Fetched:
    """Fetch it, going on with what an earlier try brought."""
    from platefleet.models.artifacts.arriving import fetch_source  # noqa: PLC0415 - heavy

    job.step("fetching")
    require(arguments, host)
    token = host.hosts.token_file
    wanted = replace(_wanted(arguments, host.hosts), token="" if token is None else _token(token))
    try:
        new = fetch_source(
            host.store,
            arguments.role,
            wanted,
            progress=lambda done, of: job.tell(f"{done >> 20} MiB", done / of),
            stopping=lambda: _stands_still(job),
        )
    except ArtifactError as error:
        if job.stopping():
            raise StoppedEarly(str(error)) from error
        if "cannot be reached" in str(error):
            raise NotNow(str(error)) from error
        raise
    return Fetched(role=arguments.role, source=arguments.sha256, new=new)


def _wanted(arguments: Fetch, hosts: Hosts) -> Wanted:
    from platefleet.models.artifacts.https import Wanted  # noqa: PLC0415 - heavy

    return Wanted(arguments.url, arguments.sha256, arguments.bytes, hosts.names, hosts.ca_file)


def _stands_still(job: Job) -> bool:
    """Wait while a car is there; return whether to stop. A server that tires of it is asked for the rest again."""
    while job.paused() and not job.stopping():
        time.sleep(PAUSE_S)
    return job.stopping()


def _token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path}: the token cannot be read ({error}); check commands.token_file") from error


OPERATION = Operation(
    name="fetch",
    says="Fetch an ONNX source over HTTPS, by digest and size, from a host that the device allows.",
    arguments=Fetch,
    result=Fetched,
    steps=(Step("fetching", DEADLINE_S, 600.0),),
    require=require,
    run=run,
    slot="heavy",
    in_window=True,
    lines=lambda result: [f"{result.role}: source {result.source[:16]} {'fetched' if result.new else 'was there'}"],
)
