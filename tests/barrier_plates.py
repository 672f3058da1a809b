"""What the plates on the 18 barrier photos say, transcribed by eye; separators are left out, as the reader does.

`carlong_0130` and `carlong_0199` are one car. `carlong_0184` is cut by its frame within its last character: what is
given is the part that can be seen, and the plate is expected to stay unread.
"""

from __future__ import annotations

PLATES: dict[str, str] = {
    "carlong_0002": "51G10096",
    "carlong_0008": "51F86988",
    "carlong_0078": "51F88270",
    "carlong_0120": "51F15585",
    "carlong_0130": "51F06532",
    "carlong_0133": "51A77529",
    "carlong_0134": "51G29034",
    "carlong_0174": "51G31691",
    "carlong_0178": "51G51332",
    "carlong_0183": "51F22261",
    "carlong_0184": "60A3598",
    "carlong_0189": "51F32488",
    "carlong_0199": "51F06532",
    "carlong_0223": "51F59881",
    "carlong_0234": "51G37307",
    "carlong_0236": "51F52170",
    "carlong_0263": "51F59011",
    "carlong_0265": "52P5688",
}
"""Text by the photo's name without its suffix."""

CUT_BY_THE_FRAME = frozenset({"carlong_0184"})
SAME_CAR = frozenset({"carlong_0130", "carlong_0199"})
