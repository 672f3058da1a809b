"""From an ONNX network to a TensorRT plan, by TensorRT's own builder. Blocks for minutes: run it in a child process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from platefleet.models.artifacts.passport import Precision
from platefleet.models.build.log import BuilderLog
from platefleet.models.errors import BuildDeferred, BuildError
from platefleet.models.tensorrt_release import network_flags, set_level, tactic_mask, tensorrt


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What an engine is to be. Raises ValueError for batches that contradict each other.

    input_shape: of one picture, (channels, height, width), for what the ONNX leaves open. batch: always so many, None
    for any from 1 to `most`, best at `usual`. tf32: whether FP32 may round to TF32's ten bits. fp32_layers: names of
    layers (the ONNX nodes') that compute and put out FP32. workspace_bytes: None leaves it to TensorRT. tactic_sources:
    names, None for TensorRT's choice. level: 0-5, None for TensorRT's choice.
    """

    precision: Precision
    input_shape: tuple[int, int, int]
    batch: int | None = 1
    most: int = 8
    usual: int = 3
    tf32: bool = False
    level: int | None = None
    workspace_bytes: int | None = None
    tactic_sources: tuple[str, ...] | None = None
    fp32_layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.batch is None and not 1 <= self.usual <= self.most:
            raise ValueError(f"a batch of any size up to {self.most} cannot be {self.usual} usually")
        if self.batch is not None and self.batch < 1:
            raise ValueError(f"a batch has at least one picture, not {self.batch}")

    @property
    def batches(self) -> tuple[int, int, int]:
        """The least, the usual and the most pictures at once."""
        return (1, self.usual, self.most) if self.batch is None else (self.batch,) * 3


class Uploads(Protocol):
    """Where a calibrator puts its batches: one buffer of the device."""

    def upload(self, pictures: NDArray[np.float32]) -> int:
        """Copy `pictures` to the device, wait, and return their address there, valid until the next call."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Pictures for INT8. batches: float32 (n, channels, height, width), all of the same n; where: their buffer."""

    batches: Iterator[NDArray[np.float32]]
    count: int
    where: Uploads


@dataclass(frozen=True, slots=True)
class BuiltEngine:
    """plan: the engine's bytes. layers: how many the network had. notes: what was not done as asked, as sentences."""

    plan: bytes
    layers: int
    notes: tuple[str, ...] = field(default=())


def build_plan(
    onnx: bytes, options: EngineOptions, log: BuilderLog, calibration: Calibration | None = None
) -> BuiltEngine:
    """Build an engine from an ONNX model of opset 17 or less.

    The device's primary context must be current or creatable. Raises MissingExtra without TensorRT, BuildDeferred when
    memory was short, BuildError for anything else that keeps an engine from being built.
    """
    trt = tensorrt()
    if options.precision == "int8" and calibration is None:
        raise BuildError("INT8 needs pictures to calibrate with; name a folder of them")
    logger = log.logger(trt)
    builder = trt.Builder(logger)
    network = builder.create_network(network_flags(trt))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(onnx):
        raise BuildError(f"TensorRT cannot read the ONNX ({_parser_error(parser)}); export it with opset 17 or less")
    config = builder.create_builder_config()
    notes = [note for note in (set_level(trt, config, options.level),) if note]
    if options.workspace_bytes is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_bytes)
    if options.tactic_sources is not None:
        config.set_tactic_sources(tactic_mask(trt, options.tactic_sources))
    if not options.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    _set_profile(builder, config, network, options)
    notes += _set_precision(trt, builder, config, options.precision)
    _keep_fp32(trt, config, network, options.fp32_layers)
    # Named until the build is over: TensorRT holds no reference to its calibrator.
    calibrator = None if calibration is None else _calibrator(trt, calibration)
    if options.precision == "int8":
        config.int8_calibrator = calibrator
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise _failure(log)
    if log.without_timing_cache:
        notes.append("TensorRT refused its own timing cache and built without it")
    return BuiltEngine(bytes(plan), network.num_layers, tuple(notes))


def _set_profile(builder: Any, config: Any, network: Any, options: EngineOptions) -> None:
    """Say which batches the engine takes; a model with fixed shapes takes only what it was exported for."""
    if network.num_inputs != 1:
        raise BuildError(f"the model has {network.num_inputs} inputs, not one; export a detector or recogniser")
    source = network.get_input(0)
    shape = tuple(source.shape)
    wanted = [(batch, *options.input_shape) for batch in options.batches]
    if len(shape) != 4 or any(
        has not in (-1, asked) for has, asked in zip(shape[1:], options.input_shape, strict=True)
    ):
        raise BuildError(f"the model takes pictures of {shape[1:]}, not {options.input_shape}; export it for that size")
    if shape[0] != -1 and any(batch != shape[0] for batch in options.batches):
        raise BuildError(f"the model was exported for batches of {shape[0]}; export it with a free batch")
    if -1 in shape:
        if options.batch is not None:
            source.shape = wanted[0]  # the profile's least, usual and most are then one
        profile = builder.create_optimization_profile()
        profile.set_shape(source.name, *wanted)
        config.add_optimization_profile(profile)
        if options.precision == "int8":
            config.set_calibration_profile(profile)


def _set_precision(trt: Any, builder: Any, config: Any, precision: Precision) -> list[str]:
    """Allow what the precision allows; return what this GPU is slow at."""
    notes = []
    if precision in ("fp16", "int8"):
        config.set_flag(trt.BuilderFlag.FP16)  # with INT8 too: what cannot be INT8 is better FP16 than FP32
        if not builder.platform_has_fast_fp16:
            notes.append("this GPU has no fast FP16")
    if precision == "int8":
        config.set_flag(trt.BuilderFlag.INT8)
        if not builder.platform_has_fast_int8:
            notes.append("this GPU has no fast INT8")
    return notes


def _keep_fp32(trt: Any, config: Any, network: Any, names: tuple[str, ...]) -> None:
    """Hold the named layers at FP32, inputs of weights included."""
    if not names:
        return
    config.set_flag(trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
    layers = {layer.name: layer for layer in (network.get_layer(index) for index in range(network.num_layers))}
    unknown = [name for name in names if name not in layers]
    if unknown:
        raise BuildError(f"the network has no layer {unknown[0]!r} to keep in FP32; name one of its {len(layers)}")
    for name in names:
        layer = layers[name]
        layer.precision = trt.float32
        for index in range(layer.num_outputs):
            layer.set_output_type(index, trt.float32)


def _calibrator(trt: Any, calibration: Calibration) -> Any:
    """Return an entropy calibrator over the pictures, without a cache: a stale one would be used without a word."""

    class Calibrator(trt.IInt8EntropyCalibrator2):  # type: ignore[misc]  # the class comes from the installed TensorRT
        def __init__(self) -> None:
            trt.IInt8EntropyCalibrator2.__init__(self)

        def get_batch_size(self) -> int:
            return calibration.count

        def get_batch(self, names: list[str]) -> list[int] | None:
            batch = next(calibration.batches, None)
            return None if batch is None else [calibration.where.upload(batch)] * len(names)

        def read_calibration_cache(self) -> None:
            return None

        def write_calibration_cache(self, _cache: Any) -> None:
            return None

    return Calibrator()


def _parser_error(parser: Any) -> str:
    if parser.num_errors == 0:
        return "no reason given"
    return " ".join(str(parser.get_error(0).desc()).split())[:200]


def _failure(log: BuilderLog) -> BuildError:
    """Return why no engine came of it."""
    if log.short_of_memory:
        return BuildDeferred(
            f"the builder ran short of memory ({log.last_error or 'no more was said'}); try again when less runs"
        )
    return BuildError(f"TensorRT built no engine ({log.last_error or 'no reason given'}); try another precision")
