"""`models build`: an artifact from a source, on this device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platefleet.models.commands.terminal import AsJson, Role, StoreFolder, progress, role_of, say, store_at


def mount(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: platefleet models build --role plate --precision int8 --calibration photos/")
    def build(  # noqa: PLR0917 - typer's signature is the command line's
        role: Role,
        fmt: Annotated[str, typer.Option("--format", help="onnx, tensorrt or pt.")] = "onnx",
        precision: Annotated[str, typer.Option(help="fp32, fp16 or int8.")] = "fp32",
        size: Annotated[
            int | None, typer.Option(help="Side of the square in pixels: 640 for vehicles, 416 for plates.")
        ] = None,
        batch: Annotated[int | None, typer.Option(help="Squares at once; not given: any.")] = None,
        source: Annotated[
            str, typer.Option(help="The source's digest, or how it begins; may be left out where there is one.")
        ] = "",
        calibration: Annotated[Path | None, typer.Option(metavar="DIR", help="Frames for INT8.")] = None,
        evaluation: Annotated[
            Path | None, typer.Option(metavar="DIR", help="Frames that INT8 must not be calibrated on.")
        ] = None,
        head_fp32: Annotated[bool, typer.Option(help="Leave the detection head in FP32 in an INT8 artifact.")] = True,
        level: Annotated[int | None, typer.Option(min=0, max=5, help="TensorRT's builder optimization level.")] = None,
        deadline_s: Annotated[float, typer.Option(help="Give up after so many seconds.")] = 3600.0,
        store: StoreFolder = None,
        as_json: AsJson = False,
    ) -> None:
        """Build an artifact in a child process. What runs stays as it is; measure it with `models evaluate`."""
        from pydantic import ValidationError  # noqa: PLC0415 - heavy

        from platefleet.models.acceptance.dataset import load_dataset  # noqa: PLC0415 - heavy
        from platefleet.models.artifacts.machine import machine  # noqa: PLC0415
        from platefleet.models.artifacts.passport import Recipe  # noqa: PLC0415
        from platefleet.models.build.child import Bounds  # noqa: PLC0415
        from platefleet.models.build.run import Order  # noqa: PLC0415
        from platefleet.models.build.run import build as build_one  # noqa: PLC0415
        from platefleet.models.errors import ArtifactError  # noqa: PLC0415
        from platefleet.models.own_days import check_days  # noqa: PLC0415
        from platefleet.protocol.errors import ConfigError  # noqa: PLC0415
        from platefleet.protocol.settings_errors import problems  # noqa: PLC0415

        here, named = store_at(store), role_of(role)
        sources = here.sources(named)
        if not sources:
            raise ArtifactError(f"{role}: {here.root} holds no source; add weights with `platefleet models add`")
        if not source and len(sources) != 1:
            raise ArtifactError(f"{role}: the store holds {len(sources)} sources; name one with --source")
        weights = here.source(named, source) if source else sources[0]
        chosen = {
            "role": named,
            "source": weights.stem,
            "format": fmt,
            "precision": precision,
            "size": {"vehicle": 640, "plate": 416, "reader": 320}[named] if size is None else size,
            "batch": batch,
            "level": level,
            "head_fp32": head_fp32 and precision == "int8",
        }
        try:
            recipe = Recipe.model_validate(chosen)
        except ValidationError as error:
            raise ConfigError(f"--{problems(error, Recipe)[0]}.") from error
        frames = None if calibration is None else load_dataset(calibration)
        check_days(() if frames is None else frames.paths, "calibration")
        order = Order(
            recipe,
            frames,
            None if evaluation is None else load_dataset(evaluation),
            Bounds(deadline_s=deadline_s),
        )
        with progress(f"{role}/{fmt}/{precision}") as tell:
            passport = build_one(here, order, machine=machine(), tell=tell)
        seconds = passport.built.seconds if passport.built else 0.0
        say(
            passport.model_dump(mode="json"),
            [f"{passport.title}: built in {seconds:.1f} s; measure it: platefleet models evaluate {passport.key[:8]}"],
            as_json=as_json,
        )
