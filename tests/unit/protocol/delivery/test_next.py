"""What to send next, case by case. `test_next_model.py` says what holds over any history."""

from __future__ import annotations

import pytest

from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.delivery.effects import Entry, Limits, Rest, SendAsk, SendBatch, Sending, SendLive
from platefleet.protocol.delivery.next import Next
from platefleet.protocol.messages import EpochCoverage

EPOCH = "e" * 32
T0 = 1000 * SECOND_NS


class Sender:
    """A `Next` with a page of backlog, driven by hand: `sends` hands over what is decided and numbers it."""

    def __init__(self, *sizes: int, limits: Limits | None = None, answered: bool = True) -> None:
        self.now_ns = T0
        self.next = Next(limits)
        self.entries = [entry(seq, size) for seq, size in enumerate(sizes, 1)]
        self.tokens = 0
        self.connect(answered=answered)

    def connect(self, *, answered: bool = True) -> None:
        self.next.on_connected(self.now_ns, 16)
        if answered:
            assert isinstance(self.sends(), SendAsk)
            self.published()
            self.next.on_answered(self.now_ns)

    def sends(self) -> Sending | None:
        """Hand over the next thing; None when there is nothing now."""
        if self.next.wanted():
            after = self.next.position
            self.next.on_backlog([e for e in self.entries if after is None or e.key > after], last=True)
        effect = self.next.decide(self.now_ns)
        if isinstance(effect, Rest):
            return None
        self.tokens += 1
        self.next.on_sent(self.tokens, effect, self.now_ns)
        return effect

    def published(self, token: int | None = None, *, ok: bool = True, nobody: bool = False) -> None:
        self.next.on_published(token or self.tokens, ok=ok, nobody=nobody, now_ns=self.now_ns)

    def acked(self, *seqs: int) -> None:
        covered = tuple((seq, seq) for seq in seqs)
        self.entries = [e for e in self.entries if e.seq not in seqs]
        self.next.on_committed([EpochCoverage(epoch=EPOCH, covered=covered)], self.now_ns)

    def turn(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND_NS)

    def tell(self, seq: int) -> None:
        self.next.live.tell(entry(seq), self.now_ns)


def entry(seq: int, size_bytes: int = 1000) -> Entry:
    return Entry(EPOCH, seq, size_bytes)


def seqs(sending: Sending | None) -> list[int]:
    assert isinstance(sending, SendBatch)
    return [e.seq for e in sending.entries]


def test_a_live_copy_goes_before_the_question_and_before_everything_else() -> None:
    sender = Sender(1000, answered=False)
    sender.tell(1)
    assert isinstance(sender.sends(), SendLive)
    assert isinstance(sender.sends(), SendAsk)


def test_nothing_is_sent_while_there_is_no_connection() -> None:
    sender = Sender(1000)
    sender.next.on_disconnected(sender.now_ns, by_peer=False)
    sender.tell(1)
    assert sender.next.decide(sender.now_ns) == Rest(None)


def test_the_store_is_asked_first_and_records_wait_for_its_answer_as_long_as_for_an_ack() -> None:
    sender = Sender(1000, answered=False)
    assert isinstance(sender.sends(), SendAsk)
    sender.published()
    assert sender.sends() is None
    sender.turn(5)
    assert isinstance(sender.sends(), SendAsk)  # nobody answered: ask again, ever more rarely
    assert seqs(sender.sends()) == [1]


def test_the_oldest_go_first_in_small_messages_and_a_larger_frame_goes_alone() -> None:
    sender = Sender(10_000, 6_000, 2_000, 120_000, 100)
    assert seqs(sender.sends()) == [1, 2]
    sender.published()
    assert seqs(sender.sends()) == [3]
    assert seqs(sender.sends()) == [4]
    sender.published()
    assert seqs(sender.sends()) == [5]


def test_a_link_that_has_shown_that_it_is_fast_gets_messages_of_64_kib() -> None:
    sender = Sender(*[8_000] * 200)
    sizes = []
    while (sending := sender.sends()) is not None:
        sizes.append(len(seqs(sending)))
        sender.published()
        sender.acked(*seqs(sending))
    assert (sizes[0], max(sizes)) == (2, 8)
    assert sum(sizes) == 200


def test_a_record_told_live_is_not_filled_back_at_once_as_well() -> None:
    sender = Sender(1000, 1000)
    sender.tell(1)
    assert isinstance(sender.sends(), SendLive)
    assert seqs(sender.sends()) == [2]
    sender.published(1)
    sender.published(2)
    sender.published(3)
    sender.turn(4.9)
    assert sender.sends() is None
    sender.turn(0.2)
    assert seqs(sender.sends()) == [1, 2]


def test_what_was_told_live_and_acknowledged_is_not_filled_back_although_it_stood_in_the_backlog() -> None:
    sender = Sender(1000, 1000)
    sender.entries = [Entry(EPOCH, each.seq, each.size_bytes, sender.now_ns) for each in sender.entries]
    assert sender.sends() is None  # both stand in the backlog, and have not settled
    sender.tell(1)
    assert isinstance(sender.sends(), SendLive)
    sender.published()
    sender.acked(1)
    sender.turn(1)
    assert seqs(sender.sends()) == [2]


def test_a_record_is_sent_again_after_three_times_the_usual_ack_time_when_that_is_longer_than_five_seconds() -> None:
    sender = Sender(1000)
    sender.sends()
    sender.published()
    sender.turn(4)
    sender.acked(1)
    sender.entries.append(entry(2))
    sender.next.on_appended()
    assert seqs(sender.sends()) == [2]
    sender.published()
    sender.turn(11.9)
    assert sender.sends() is None
    sender.turn(0.2)
    assert seqs(sender.sends()) == [2]


def test_what_the_broker_has_not_acknowledged_is_never_sent_a_second_time_on_that_connection() -> None:
    sender = Sender(1000)
    sender.sends()
    sender.turn(60)
    assert sender.sends() is None


def test_at_most_so_many_records_and_bytes_are_sent_and_not_covered() -> None:
    by_count = Sender(*[10] * 9, limits=Limits(outstanding_records=4))
    assert seqs(by_count.sends()) == [1, 2, 3, 4]
    by_count.published()
    assert by_count.sends() is None
    by_count.acked(1, 2, 3)
    assert seqs(by_count.sends()) == [5, 6, 7]
    by_size = Sender(400, 400, 400, limits=Limits(outstanding_bytes=1000))
    assert seqs(by_size.sends()) == [1, 2]
    by_size.published()
    assert by_size.sends() is None


def test_one_record_above_the_bytes_that_may_be_uncovered_is_sent_all_the_same() -> None:
    assert seqs(Sender(5000, limits=Limits(outstanding_bytes=1000)).sends()) == [1]


def test_the_window_grows_while_the_broker_answers_fast() -> None:
    sender = Sender(*[60_000] * 20)
    in_flight = []
    for _ in range(4):
        first = sender.tokens + 1
        while sender.sends() is not None:
            pass
        in_flight.append(sender.tokens + 1 - first)
        for token in range(first, sender.tokens + 1):
            sender.published(token)
    assert in_flight == [1, 2, 4, 8]


def test_nothing_is_filled_back_while_nobody_commits_and_live_copies_go_on() -> None:
    sender = Sender(1000)
    sender.next.on_hosts(nobody=True, born=False, now_ns=sender.now_ns)
    assert sender.sends() is None
    sender.tell(1)
    assert isinstance(sender.sends(), SendLive)
    sender.next.on_hosts(nobody=False, born=True, now_ns=sender.now_ns)
    sender.turn(6)
    sender.published()
    assert seqs(sender.sends()) == [1]


def test_whoever_begins_to_commit_is_asked_at_once() -> None:
    sender = Sender(1000, answered=False)
    sender.sends()
    sender.published(nobody=True)
    assert sender.sends() is None
    sender.next.on_hosts(nobody=False, born=True, now_ns=sender.now_ns)
    assert isinstance(sender.sends(), SendAsk)


def test_a_worker_that_was_there_before_us_is_not_asked_twice() -> None:
    sender = Sender(1000, answered=False)
    sender.sends()
    sender.next.on_hosts(nobody=False, born=False, now_ns=sender.now_ns)
    assert sender.sends() is None


def test_records_that_nobody_received_go_to_a_worker_as_soon_as_it_is_born() -> None:
    sender = Sender(1000)
    sender.sends()
    sender.published(nobody=True)
    assert sender.sends() is None
    sender.next.on_hosts(nobody=False, born=True, now_ns=sender.now_ns)
    assert seqs(sender.sends()) == [1]


@pytest.mark.parametrize("answer", [{"ok": False}, {"nobody": True}])
def test_records_that_the_broker_refuses_or_nobody_receives_wait_five_seconds_and_go_again(
    answer: dict[str, bool],
) -> None:
    sender = Sender(1000)
    sender.sends()
    sender.published(**answer)
    assert sender.sends() is None
    sender.turn(5)
    assert seqs(sender.sends()) == [1]


def test_the_question_is_asked_again_every_ten_minutes() -> None:
    sender = Sender()
    sender.turn(599)
    assert sender.sends() is None
    sender.turn(2)
    assert isinstance(sender.sends(), SendAsk)


def test_what_the_answer_shows_to_be_lost_is_sent_again() -> None:
    sender = Sender(1000, 1000)
    sender.sends()
    sender.published()
    kept = list(sender.entries)
    sender.acked(1, 2)
    sender.turn(601)
    assert isinstance(sender.sends(), SendAsk)
    sender.published()
    sender.entries = kept
    sender.next.on_answered(sender.now_ns)
    assert seqs(sender.sends()) == [1, 2]


def test_a_fresh_record_waits_a_tenth_of_a_second_for_its_live_copy_and_for_company() -> None:
    sender = Sender()
    sender.entries.append(Entry(EPOCH, 1, 1000, appended_mono_ns=sender.now_ns))
    sender.next.on_appended()
    assert sender.sends() is None
    sender.turn(0.1)
    assert seqs(sender.sends()) == [1]


def test_a_moment_of_a_longer_boot_holds_no_record_back() -> None:
    sender = Sender()
    sender.entries.append(Entry(EPOCH, 1, 1000, appended_mono_ns=sender.now_ns + 30 * 86_400 * SECOND_NS))
    sender.next.on_appended()
    assert seqs(sender.sends()) == [1]


def cut(sender: Sender, *, by_peer: bool = True) -> tuple[tuple[str, int], ...]:
    return sender.next.on_disconnected(sender.now_ns, by_peer=by_peer)


def test_a_record_in_flight_at_two_ends_in_a_row_goes_alone_and_at_a_third_it_is_set_aside() -> None:
    sender = Sender(1000, 1000, 1000)
    for _ in range(2):
        assert seqs(sender.sends()) == [1, 2, 3]
        assert cut(sender) == ()
        sender.connect()
    assert seqs(sender.sends()) == [1]
    assert sender.sends() is None
    assert cut(sender) == ((EPOCH, 1),)
    sender.entries = sender.entries[1:]
    sender.next.on_vanished((EPOCH, 1))
    sender.connect()
    assert seqs(sender.sends()) == [2, 3]  # proven innocent by what was in flight alone


def test_records_that_were_never_suspected_go_before_one_that_is() -> None:
    sender = Sender(1000)
    for _ in range(2):
        sender.sends()
        cut(sender)
        sender.connect()
    sender.entries.append(entry(2))
    assert seqs(sender.sends()) == [2]
    assert sender.sends() is None
    sender.published()
    assert seqs(sender.sends()) == [1]


def test_a_link_that_we_gave_up_ourselves_proves_nothing_against_a_record() -> None:
    sender = Sender(1000)
    for _ in range(10):
        assert seqs(sender.sends()) == [1]
        assert cut(sender, by_peer=False) == ()
        sender.connect()


def test_a_broker_that_does_not_even_take_the_question_is_given_no_records_to_stumble_over() -> None:
    sender = Sender(1000, answered=False)
    for _ in range(10):
        sender.turn(10)
        assert isinstance(sender.sends(), SendAsk)
        assert sender.sends() is None
        assert cut(sender) == ()
        sender.connect(answered=False)


def test_records_above_the_brokers_limit_go_alone_and_one_that_was_alone_is_set_aside() -> None:
    sender = Sender(1000, 1000)
    effect = sender.next.decide(sender.now_ns)
    if isinstance(effect, Rest):
        sender.next.on_backlog(sender.entries, last=True)
        effect = sender.next.decide(sender.now_ns)
    assert isinstance(effect, SendBatch)
    assert sender.next.on_too_large(effect, sender.now_ns) == ()
    alone = sender.next.decide(sender.now_ns)
    assert isinstance(alone, SendBatch)
    assert [e.seq for e in alone.entries] == [1]
    assert sender.next.on_too_large(alone, sender.now_ns) == ((EPOCH, 1),)


def test_a_question_above_the_brokers_limit_is_asked_again_later_and_not_at_once() -> None:
    sender = Sender(1000, answered=False)
    ask = sender.next.decide(sender.now_ns)
    assert isinstance(ask, SendAsk)
    assert sender.next.on_too_large(ask, sender.now_ns) == ()
    assert not isinstance(sender.next.decide(sender.now_ns), SendAsk)
    sender.turn(600)
    assert isinstance(sender.next.decide(sender.now_ns), SendAsk)


def test_a_live_copy_waits_for_its_predecessor_and_leaves_with_the_newest_sight() -> None:
    sender = Sender()
    sender.tell(1)
    first = sender.sends()
    sender.turn(2)
    sender.tell(1)
    assert sender.sends() is None
    sender.turn(2)
    sender.tell(1)
    sender.published(2)
    second = sender.sends()
    assert isinstance(first, SendLive)
    assert isinstance(second, SendLive)
    assert second.seen_mono_ns - first.seen_mono_ns == 4 * SECOND_NS


def test_no_more_than_four_live_copies_are_handed_over_at_a_time() -> None:
    sender = Sender()
    for seq in range(1, 7):
        sender.tell(seq)
    assert [isinstance(sender.sends(), SendLive) for _ in range(5)] == [True] * 4 + [False]
    sender.published()
    assert isinstance(sender.sends(), SendLive)


def test_a_live_copy_older_than_its_limit_is_no_longer_sent_live() -> None:
    sender = Sender(1000)
    sender.tell(1)
    sender.turn(10.1)
    assert seqs(sender.sends()) == [1]
    assert sender.next.live.late == 1


def test_of_too_many_waiting_live_copies_the_oldest_give_way() -> None:
    sender = Sender()
    for seq in range(1, 66):
        sender.tell(seq)
    assert sender.next.live.displaced == 1
    live = sender.sends()
    assert isinstance(live, SendLive)
    assert live.entry.seq == 2


def test_what_is_gone_is_told_with_a_question_but_not_more_often_than_every_five_seconds() -> None:
    sender = Sender()
    sender.next.on_gone()
    assert sender.sends() is None
    sender.turn(5)
    assert isinstance(sender.sends(), SendAsk)
    sender.next.on_gone()
    assert sender.sends() is None
