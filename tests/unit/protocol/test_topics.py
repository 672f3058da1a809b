"""Topics are built from checked names and taken apart into them, and nothing else is a topic."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platefleet.protocol import topics
from platefleet.protocol.delivery import uplink
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.ids import NAME_PATTERN
from platefleet.protocol.topics import Topic, parse

NAMES = st.from_regex(NAME_PATTERN.removesuffix("$") + r"\Z", fullmatch=True)
CLIENT_KINDS = (*topics.UP, *topics.DOWN)


@given(NAMES, st.sampled_from(CLIENT_KINDS))
def test_what_is_built_is_taken_apart_into_the_same(client: str, kind: str) -> None:
    assert parse(topics.build(kind, client)) == Topic(kind, client=client)


@given(NAMES)
def test_a_slot_is_no_client(slot: str) -> None:
    assert parse(topics.host(slot)) == Topic("host", slot=slot)


def test_the_trust_belongs_to_nobody() -> None:
    assert parse(topics.trust()) == Topic("trust")


@given(st.text(max_size=80))
def test_a_text_is_a_topic_only_if_it_is_built_again_from_its_parts(text: str) -> None:
    try:
        topic = parse(text)
    except ProtocolError as error:
        sentence = str(error)
    else:
        sentence = "it is a topic"
        assert topics.address(topic.kind).format(device=topic.client, slot=topic.slot) == text
    assert sentence.isprintable()


@pytest.mark.parametrize(
    "name",
    [
        *("", "a/b", "+", "#", "a+", "$share", "$SYS", "a b", "a\x00b", "a\n", "a\r\n", " a", "a\t"),
        *("n\u00f6rth", "\uff4e\uff4f\uff52\uff54\uff48", "n\u043erth", "north\u2011\u0031", "a\u200b", "\u202ea"),
        *(".", "..", "-a", "_a", "a" * 65, "a" * 100_000, "\ud800", "\u0661"),
    ],
)
def test_a_name_that_could_steer_a_topic_a_path_or_a_reader_is_refused(name: str) -> None:
    for build in (topics.plate, topics.ack, topics.host, lambda n: topics.shared(n, "x")):
        with pytest.raises(ProtocolError) as caught:
            build(name)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 600


@pytest.mark.parametrize("kind", ["", "host", "trust", "up/plate", "plates", "\x1b[2J" * 100])
def test_a_kind_that_belongs_to_no_client_is_refused(kind: str) -> None:
    for build in (lambda k: topics.build(k, "north-1"), topics.every):
        with pytest.raises(ProtocolError) as caught:
            build(kind)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", CLIENT_KINDS)
def test_a_filter_of_every_client_matches_each_ones_topic_and_is_no_topic(kind: str) -> None:
    pattern = re.escape(topics.every(kind)).replace(r"\+", "[^/]+")
    assert re.fullmatch(pattern, topics.build(kind, "north-1"))
    with pytest.raises(ProtocolError):
        parse(topics.every(kind))


def test_each_kind_has_its_row_in_the_table_and_its_own_builder() -> None:
    assert set(topics.TOPICS) == {*CLIENT_KINDS, "trust", "host"}
    for kind in CLIENT_KINDS:
        assert getattr(topics, kind)("north-1") == topics.build(kind, "north-1")


def test_only_live_messages_expire_and_only_states_are_retained() -> None:
    table = topics.TOPICS
    assert {kind: row.expiry_s for kind, row in table.items() if row.expiry_s} == {"plate": 10, "fleet": 60}
    assert {kind for kind, row in table.items() if row.retain} == {"presence", "info", "desired", "trust", "host"}
    assert {kind for kind, row in table.items() if row.will} == {"presence", "host"}
    assert {kind for kind, row in table.items() if row.qos == 0} == {"progress", "health", "beat"}


def test_the_uplink_sends_with_the_expiry_that_the_table_says() -> None:
    assert topics.TOPICS["plate"].expiry_s == uplink.PLATE_EXPIRY_S
    assert topics.TOPICS["fleet"].expiry_s == uplink.STATUS_EXPIRY_S
