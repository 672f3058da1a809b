"""The comparison finds every difference, and nothing else."""

from __future__ import annotations

from typing import Any

from platefleet.deploy.simulate.compare import Book, GoneRange, Row, compare

E1 = "1" * 32


def hand(body: str, device: str = "d") -> dict[str, Any]:
    return {"kind": "hand", "device": device, "body": body}


def kept(seq: int, digest: str, *, volatile: bool = False) -> dict[str, Any]:
    return {"kind": "kept", "device": "d", "epoch": E1, "seq": seq, "digest": digest, "volatile": volatile}


def row(seq: int, digest: str, body: str, *, type: str = "plate", device: str = "d") -> Row:  # noqa: A002
    return Row((device, E1, seq), type, digest, body)


BOOK = [hand("a"), hand("b"), kept(2, "A"), kept(3, "B")]
STORED = [row(1, "E", "e", type="epoch"), row(2, "A", "a"), row(3, "B", "b")]


def test_what_was_appended_and_committed_once_is_equal() -> None:
    ledger = compare(Book().enter(BOOK), STORED, [])
    assert ledger.equal
    assert (ledger.appended, ledger.committed, ledger.gone) == (2, 2, 0)
    assert (
        ledger.line()
        == "appended 2, committed 2, gone 0, excused 0, missing 0, twice 0, foreign 0, different 0, reused 0"
    )


def test_a_name_that_two_writers_gave_is_found() -> None:
    ledger = compare(Book().enter([*BOOK, kept(3, "C")]), STORED, [])
    assert ledger.reused == (("d", E1, 3),)
    assert not ledger.equal


def test_what_was_handed_over_by_a_writer_that_was_killed_may_be_there_or_not() -> None:
    book = Book().enter([*BOOK, hand("c")])
    assert compare(book, STORED, []).equal
    assert compare(book, [*STORED, row(4, "C", "c")], []).equal


def test_a_record_that_is_nowhere_is_missing() -> None:
    ledger = compare(Book().enter(BOOK), STORED[:2], [])
    assert ledger.missing == (("d", E1, 3),)
    assert ledger.differences() == [f"missing: d {E1}/3"]


def test_a_record_that_was_told_as_gone_is_not_missing() -> None:
    ledger = compare(Book().enter(BOOK), STORED[:2], [GoneRange("d", E1, 3, 7)])
    assert (ledger.equal, ledger.gone) == (True, 1)


def test_a_loss_of_another_epoch_or_device_excuses_nothing() -> None:
    others = [GoneRange("d", "2" * 32, 1, 9), GoneRange("x", E1, 1, 9)]
    assert compare(Book().enter(BOOK), STORED[:2], others).missing


def test_a_record_whose_only_copy_was_destroyed_is_excused_and_may_be_there() -> None:
    book = Book().enter(BOOK)
    assert compare(book, STORED[:2], [], excused={("d", E1, 3)}).equal
    assert compare(book, STORED, [], excused={("d", E1, 3)}).equal


def test_one_body_under_two_names_is_there_twice() -> None:
    assert compare(Book().enter(BOOK), [*STORED, row(4, "X", "b")], []).twice == (("d", E1, 3), ("d", E1, 4))


def test_a_row_that_nobody_handed_over_is_foreign_unless_it_opens_an_epoch() -> None:
    assert compare(Book().enter(BOOK), [*STORED, row(4, "X", "x")], []).foreign == (("d", E1, 4),)
    assert compare(Book().enter(BOOK), [*STORED, row(4, "X", "x", type="epoch")], []).equal


def test_another_record_under_a_name_is_different() -> None:
    ledger = compare(Book().enter(BOOK), [*STORED[:2], row(3, "Z", "b")], [])
    assert ledger.different == (("d", E1, 3),)


def test_rows_of_devices_that_the_book_does_not_know_are_nobodys_business() -> None:
    assert compare(Book().enter(BOOK), [*STORED, row(9, "X", "x", device="other")], []).equal


def test_what_was_kept_in_memory_alone_is_marked() -> None:
    assert Book().enter([hand("a"), kept(2, "A", volatile=True)]).fleeting == {("d", E1, 2)}
