"""What docs/conformance.md says of the kit is what the kit does."""

from __future__ import annotations

import re

from platefleet.fleet.conformance.document import PATH, document, tables

TEXT = PATH.read_text(encoding="utf-8")


def test_every_point_stands_in_it_with_why_it_matters() -> None:
    assert document() == TEXT
    for table in tables().values():
        assert table in TEXT


def test_every_option_and_file_that_it_names_exists() -> None:
    named = set(re.findall(r"[` ](--[a-z][a-z-]*)", TEXT))
    reference = (PATH.parent / "cli.md").read_text(encoding="utf-8")
    of_the_kit = reference.split("## `platefleet conformance controller`")[1].split("## `platefleet demo`")[0]
    assert named <= set(re.findall(r"`(--[a-z][a-z-]*)`", of_the_kit))
    assert (PATH.parents[1] / "tests" / "conformance" / "controller.mjs").exists()
