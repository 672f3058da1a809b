"""The judge of the barriers finds every wrong pulse."""

from __future__ import annotations

from typing import Any

from tests.faults.barrier import SECOND_NS, judge


def seen(at_s: float, name: str = "p", text: str = "ABC123") -> dict[str, Any]:
    return {"kind": "seen", "pass": name, "mono_ns": int(at_s * SECOND_NS), "text": text}


def pulse(at_s: float, name: str = "p") -> dict[str, Any]:
    return {"pass": name, "mono_ns": int(at_s * SECOND_NS)}


ALLOWED = {"ABC123"}


def test_one_pulse_soon_after_the_vehicle_was_seen_is_right() -> None:
    judged = judge([seen(1), seen(3)], [pulse(3.5)], allowed=ALLOWED, limit_s=2)
    assert judged.right
    assert judged.total == 1


def test_a_second_pulse_for_a_pass_is_found() -> None:
    assert judge([seen(1)], [pulse(1.1), pulse(1.2)], allowed=ALLOWED, limit_s=2).twice == ("p",)


def test_a_pulse_is_judged_by_what_was_seen_before_it() -> None:
    assert judge([seen(1), seen(9)], [pulse(4)], allowed=ALLOWED, limit_s=2).late == ("p",)


def test_a_pulse_that_no_vehicle_on_the_list_asked_for_is_found() -> None:
    told = [seen(1, "stranger", "XYZ999"), seen(1, "unread", "")]
    judged = judge(told, [pulse(1, "stranger"), pulse(1, "unread"), pulse(1, "nobody")], allowed=ALLOWED, limit_s=2)
    assert judged.uncalled == ("stranger", "unread", "nobody")
