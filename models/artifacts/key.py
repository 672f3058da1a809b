"""An artifact's name: a digest of everything that makes two of them different."""

from __future__ import annotations

import hashlib
import json

from platefleet.models.artifacts.passport import Machine, Recipe

KEY_DIGITS = 32


def key_of(recipe: Recipe, machine: Machine) -> str:
    """Return the key, 32 hexadecimal digits.

    An engine belongs to one GPU and one TensorRT, so both are in its key: after an upgrade the same recipe has another
    key, and the old engine is simply not the one that is looked for. Other formats run on any machine.

    >>> recipe = Recipe(role="plate", source="00" * 32, format="onnx", precision="fp32", size=416)
    >>> key_of(recipe, Machine(cpu="a")) == key_of(recipe, Machine(cpu="b", gpu="Orin"))
    True
    """
    named = recipe.model_dump(mode="json")
    if recipe.format == "tensorrt":
        named["gpu"] = machine.gpu
        named["compute_capability"] = machine.compute_capability
        named["tensorrt"] = machine.tensorrt
    text = json.dumps(named, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]
