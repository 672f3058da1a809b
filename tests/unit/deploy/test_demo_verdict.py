from platefleet.deploy.demo.verdict import Match, Shown, Told, faults, pair

RED = Shown("red", "51F88270", 0, 10)
BLUE = Shown("blue", "51G10096", 6, 16)
BLANK = Shown("blank", None, 20, 25)


def told(text: str, first_s: float, last_s: float, unread: str | None = None) -> Told:
    return Told(f"pass-{text}-{first_s}", text, unread, first_s, last_s)


def judged(cars: list[Shown], passes: list[Told], **counts: int) -> list[str]:
    return faults(pair(cars, passes), **{"appended": 5, "committed": 5, "opened_twice": 0, **counts})


def test_each_car_with_its_own_pass_is_no_fault() -> None:
    assert (
        judged([RED, BLUE, BLANK], [told("51G10096", 7, 15), told("51F88270", 1, 9), told("", 21, 24, "no plate")])
        == []
    )


def test_two_cars_in_the_picture_at_once_are_paired_by_their_plates() -> None:
    first, second = told("51F88270", 6, 9), told("51G10096", 1, 16)
    assert pair([RED, BLUE], [first, second]) == [Match(RED, first), Match(BLUE, second)]


def test_a_car_without_a_pass_is_a_fault() -> None:
    assert judged([RED, BLANK], [told("51F88270", 1, 9)]) == ["blank (no readable plate) was shown and has no pass"]


def test_a_car_with_two_passes_is_a_fault() -> None:
    found = judged([RED], [told("51F88270", 1, 5), told("51F88270", 6, 9)])
    assert len(found) == 1
    assert found[0].startswith("red has two passes")


def test_a_pass_when_no_car_was_there_is_a_fault() -> None:
    assert judged([RED], [told("51F88270", 1, 9), told("TAXI", 40, 44)])[0].startswith(
        "a pass was told and no car was shown"
    )


def test_a_record_that_is_not_committed_is_a_fault() -> None:
    assert judged([], [], committed=4) == ["5 records were appended and 4 are committed"]


def test_a_pass_that_opened_twice_is_a_fault() -> None:
    assert judged([], [], opened_twice=1) == ["1 passes were opened more than once"]


def test_a_text_that_is_not_the_cars_plate_is_a_misread_and_an_unread_pass_is_none() -> None:
    assert [m.misread for m in pair([RED, BLANK], [told("51F88278", 1, 9), told("", 21, 24, "no plate")])] == [
        True,
        False,
    ]
