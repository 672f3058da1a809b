"""The built-in plate formats: one for each country, and `eu` for all of them together.

The patterns are those that the countries issue today and the common older ones, without separators (language:
`models/formats.py`). They were written from general knowledge and have not been checked against each country's rules;
a site that relies on one should compare it, and can replace it in its configuration. Personal plates, diplomats' and
the army's are left out where they would fit nearly any text: a pattern that fits everything settles nothing. Letters
that a country does not issue because they look like digits are left out (`[^…]`): they are what settles most.
"""

from __future__ import annotations

COUNTRIES: dict[str, tuple[str, ...]] = {
    "at": ("A{1,2}9{3,5}A{1,3}",),
    "be": ("9AAA999", "AAA999", "999AAA"),
    "bg": ("A{1,2}9{4}AA",),
    "ch": ("AA9{1,6}",),
    "cy": ("AAA999",),
    "cz": ("9[^GOQW]9{5}", "9[^GOQW]{2}9{4}", "AAA9{4}", "AA9{4}"),
    "de": ("A{2,5}9{1,4}", "A{2,5}9{1,3}A"),
    "dk": ("AA9{5}",),
    "ee": ("999AAA",),
    "es": ("9{4}[^AEIOQU]{3}", "A{1,2}9{4}A{1,2}"),
    "fi": ("A{2,3}9{1,3}",),
    "fr": ("[^IOU]{2}999[^IOU]{2}", "9{1,4}[^IO]{2,3}99"),
    "gb": ("AA99AAA", "A9{1,3}AAA", "AAA9{1,3}A"),
    "gr": ("AAA9{4}",),
    "hr": ("AA9{3,4}A{1,2}",),
    "hu": ("AAA999", "AAAA999"),
    "ie": ("9{2,3}A{1,2}9{1,6}",),
    "it": ("[^IOQU]{2}999[^IOQU]{2}",),
    "lt": ("AAA999",),
    "lu": ("AA9{4}", "9{4,5}"),
    "lv": ("AA9{1,4}",),
    "mt": ("AAA999",),
    "nl": ("99AAA9", "9AAA99", "AA999A", "A999AA", "AAA99A", "A99AAA", "99AAAA", "AAAA99", "AA99AA", "9{4}AA"),
    "no": ("AA9{4,5}",),
    "pl": (
        "AA9{5}",
        "AA9{4}[^BDIOZ]",
        "AA999[^BDIOZ]{2}",
        "AAA9{4,5}",
        "AAA99[^BDIOZ]{2}",
        "AAA[^BDIOZ]9{3}",
        "A9{6}",
    ),
    "pt": ("AA99AA", "99AA99", "9{4}AA", "AA9{4}"),
    "ro": ("AA99AAA", "A9{2,3}AAA"),
    "rs": ("AA9{3,5}AA",),
    "se": ("AAA999", "AAA99A"),
    "si": ("AA99AAA", "AA999AA", "AAA999"),
    "sk": ("AA999AA",),
    "ua": ("AA9{4}AA",),
}
"""Patterns by ISO 3166 country code."""

FORMATS: dict[str, tuple[str, ...]] = {
    **COUNTRIES,
    "eu": tuple(dict.fromkeys(pattern for patterns in COUNTRIES.values() for pattern in patterns)),
}
"""Formats by the name that a configuration gives them."""
