"""The checked-in vectors hold for our own encoder and decoder, as they must for everybody's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from platefleet.protocol import errors, topics
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.delivery.frame import freeze, thaw
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.generate.json_form import json_form
from platefleet.protocol.messages.base import Message
from tests.wire_vectors import KINDS, bytes_of, vectors


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_each_message_has_vectors_that_hold_in_both_directions(kind: type[Message]) -> None:
    told = vectors(kind.__name__)["vectors"]
    assert told
    for vector in told:
        message = decode(kind, bytes.fromhex(vector["hex"]))
        assert json.loads(json.dumps(json_form(message))) == vector["json"], vector["name"]
        assert encode(message).hex() == vector["hex"], vector["name"]


@pytest.mark.parametrize("vector", vectors("accepted"), ids=lambda vector: vector["name"])
def test_other_encodings_are_taken(vector: dict[str, Any]) -> None:
    message = decode(KINDS[vector["message"]], bytes.fromhex(vector["hex"]))
    assert json_form(message) == vector["json"]
    assert encode(message).hex() != vector["hex"] or "integer" in vector["name"]


@pytest.mark.parametrize("vector", vectors("refused"), ids=lambda vector: f"{vector['message']}: {vector['name']}")
def test_what_must_be_refused_is_with_the_error_it_names(vector: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(KINDS[vector["message"]], bytes_of(vector))
    assert type(caught.value) is getattr(errors, vector["error"])


@pytest.mark.parametrize("vector", vectors("records"), ids=lambda vector: vector["name"])
def test_records_freeze_to_the_exact_frame_and_digest(vector: dict[str, Any]) -> None:
    record = freeze(vector["epoch"], vector["seq"], vector["type"], bytes.fromhex(vector["body"]))
    assert record.frame.hex() == vector["frame"]
    assert record.digest.hex() == vector["sha256"]
    assert thaw(bytes.fromhex(vector["frame"])) == record


@pytest.mark.parametrize("vector", vectors("refused-records"), ids=lambda vector: vector["name"])
def test_what_is_nearly_a_frame_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError) as caught:
        thaw(bytes_of(vector))
    assert type(caught.value) is getattr(errors, vector["error"])


def test_topics_are_taken_apart_as_told() -> None:
    told = vectors("topics")
    for each in told["topics"]:
        assert topics.parse(each["topic"]) == topics.Topic(each["kind"], each["client"], each["slot"])
    for text in told["refused"]:
        with pytest.raises(ProtocolError):
            topics.parse(text)
