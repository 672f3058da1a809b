"""Turn the vehicle model's ONNX weights into an ultralytics checkpoint: there is no public `.pt` of it.

    python -m tests.gpu.checkpoint_from_onnx vehicle.onnx vehicle.pt

The export has each convolution with its batch normalisation folded in. The checkpoint has the folded weights and a
normalisation that changes nothing, so that ultralytics folds them to the very same numbers.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import torch
from ultralytics.nn.modules.conv import Conv
from ultralytics.nn.tasks import DetectionModel

ARCHITECTURE = "yolov8n.yaml"


def checkpoint(source: Path, target: Path, architecture: str = ARCHITECTURE) -> None:
    """Write `source`, exported by ultralytics, as a checkpoint. Raises ValueError if it is of another architecture."""
    model = onnx.load(str(source))
    names = ast.literal_eval({each.key: each.value for each in model.metadata_props}["names"])
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    network: Any = DetectionModel(architecture, nc=len(names), verbose=False)
    taken = set()
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, Conv):
                _neutral(module.bn)
                _fill(module.conv.weight, weights, f"{name}.conv.weight", taken)
                _fill(module.bn.bias, weights, f"{name}.conv.bias", taken)
            elif isinstance(module, torch.nn.Conv2d) and not name.endswith((".conv", ".dfl.conv")):
                _fill(module.weight, weights, f"{name}.weight", taken)
                _fill(module.bias, weights, f"{name}.bias", taken)
    left = {name for name in weights if name.startswith("model.") and name not in taken and "dfl" not in name}
    if left:
        raise ValueError(f"{source}: {sorted(left)[0]} has no place in {architecture}")
    network.names = names
    network.eval()
    torch.save({"model": network, "train_args": {"task": "detect", "imgsz": 640}, "epoch": -1}, target)


def _neutral(norm: Any) -> None:
    norm.running_mean.zero_()
    norm.running_var.fill_(1)
    norm.weight.copy_(torch.sqrt(norm.running_var + norm.eps))
    norm.bias.zero_()


def _fill(parameter: Any, weights: dict[str, np.ndarray[Any, Any]], name: str, taken: set[str]) -> None:
    if name not in weights or tuple(parameter.shape) != weights[name].shape:
        raise ValueError(f"the export has no {name} of shape {tuple(parameter.shape)}")
    parameter.copy_(torch.from_numpy(weights[name].copy()))
    taken.add(name)


if __name__ == "__main__":
    checkpoint(Path(sys.argv[1]), Path(sys.argv[2]))
