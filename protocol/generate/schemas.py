"""A JSON Schema per message, of its JSON form."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from platefleet.protocol.delivery.frame import BODIES
from platefleet.protocol.messages import Message
from platefleet.protocol.messages.signed import SIGNED
from platefleet.protocol.topics import TOPICS

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that AsyncAPI's own schemas extend, so that both can be read by the same tools."""


def messages() -> tuple[type[Message], ...]:
    """Return every message once: those of the topics in their order, then what is signed, then records' bodies."""
    kinds = [*(channel.message for channel in TOPICS.values()), *SIGNED.values(), *BODIES.values()]
    return tuple(dict.fromkeys(kinds))


class _Wire(GenerateJsonSchema):
    """Bytes as base64, and no titles that repeat a field's name."""

    def bytes_schema(self, schema: Any) -> JsonSchemaValue:
        told: JsonSchemaValue = {"type": "string", "contentEncoding": "base64"}
        for ours, theirs in (("min_length", "minLength"), ("max_length", "maxLength")):
            if ours in schema:
                told[theirs] = 4 * ((int(schema[ours]) + 2) // 3)
                told[f"x-{ours[:3]}-bytes"] = schema[ours]
        return told

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the library's signature
        return False


def schema(kind: type[Message]) -> dict[str, Any]:
    """Return the JSON Schema (draft 7) of `kind`; `x-limit-bytes` is the longest encoding that is taken."""
    made = kind.model_json_schema(by_alias=True, schema_generator=_Wire, mode="validation")
    made["required"] = ["version", *made.get("required", [])]
    head = {"$schema": DRAFT, "$id": f"urn:platefleet:1:{kind.__name__}", "x-limit-bytes": kind.LIMIT_BYTES}
    draft_7: dict[str, Any] = _draft_7(made)
    return head | draft_7


def _draft_7(value: Any) -> Any:
    """Return the same with `items` as draft 7 writes those of a tuple, and maps closed to other keys than ids."""
    if isinstance(value, list):
        return [_draft_7(inside) for inside in value]
    if not isinstance(value, dict):
        return value
    known = {key: _draft_7(inside) for key, inside in value.items()}
    if "prefixItems" in known:
        known["items"] = known.pop("prefixItems")
    if "patternProperties" in known:
        known["additionalProperties"] = False  # a map whose keys are ids, not a message with unknown fields
    return known
