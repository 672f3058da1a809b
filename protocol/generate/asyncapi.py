"""AsyncAPI 3 from the table of topics."""

from __future__ import annotations

import inspect
from typing import Any

import yaml

from platefleet.protocol.generate.schemas import messages
from platefleet.protocol.topics import TOPICS, Channel, address

NOTES = (
    "Licence-plate recognition for car-park barriers, run as a fleet. Bodies are MessagePack maps; the schemas "
    "describe their JSON form (bytes as base64). docs/protocol.md says what a schema cannot: the record frame, ages, "
    "signatures."
)
HEAD = "# Written by `make docs` from protocol/topics.py and protocol/messages; do not edit.\n"


def asyncapi() -> str:
    """Return the document as YAML."""
    text = yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=110)
    return HEAD + text


def document() -> dict[str, Any]:
    """Return the document: a channel per kind of topic, an operation per sender and receiver."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "platefleet, the wire",
            "version": "1.0.0",
            "description": NOTES,
            "license": {"name": "AGPL-3.0-or-later"},
        },
        "defaultContentType": "application/msgpack",
        "channels": {kind: _channel(kind, channel) for kind, channel in TOPICS.items()},
        "operations": dict(_operations()),
        "components": {
            "messages": {kind.__name__: _message(kind) for kind in messages()},
            "parameters": {
                "device": {"description": "A device or gate controller: its MQTT client id; A-Z a-z 0-9 . _ -, ≤ 64."},
                "slot": {"description": "One of the ingest workers that may run at once; written like a device id."},
            },
        },
    }


def _channel(kind: str, channel: Channel) -> dict[str, Any]:
    where = address(kind)
    name = channel.message.__name__
    told: dict[str, Any] = {"address": where, "summary": channel.says}
    parameters = {p: {"$ref": f"#/components/parameters/{p}"} for p in ("device", "slot") if f"{{{p}}}" in where}
    if parameters:
        told["parameters"] = parameters
    return told | {"messages": {name: {"$ref": f"#/components/messages/{name}"}}}


def _operations() -> list[tuple[str, dict[str, Any]]]:
    made = []
    for kind, channel in TOPICS.items():
        for action, roles in (("send", channel.senders), ("receive", channel.receivers)):
            made += [(f"{role}{action.title()}s{kind.title()}", _operation(action, kind, channel)) for role in roles]
    return made


def _operation(action: str, kind: str, channel: Channel) -> dict[str, Any]:
    mqtt: dict[str, Any] = {"qos": channel.qos, "retain": channel.retain}
    if channel.expiry_s is not None:
        mqtt["messageExpiryInterval"] = channel.expiry_s
    told: dict[str, Any] = {
        "action": action,
        "channel": {"$ref": f"#/channels/{kind}"},
        "messages": [{"$ref": f"#/channels/{kind}/messages/{channel.message.__name__}"}],
    }
    # AsyncAPI's MQTT binding gives retain and expiry to the sender; the receiver only chooses its QoS.
    binding = (mqtt if action == "send" else {"qos": channel.qos}) | {"bindingVersion": "0.2.0"}
    return told | {"bindings": {"mqtt": binding}}


def _message(kind: type[Any]) -> dict[str, Any]:
    return {
        "name": kind.__name__,
        "summary": inspect.cleandoc(kind.__doc__ or "").splitlines()[0],
        "contentType": "application/msgpack",
        "payload": {"$ref": f"./schemas/{kind.__name__}.json"},
    }
