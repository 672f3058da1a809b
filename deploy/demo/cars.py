"""What is known of the barrier photos that clips are made of: where the plate is, what hides the car, what it says."""

from __future__ import annotations

from dataclasses import dataclass

PHOTO_WIDTH, PHOTO_HEIGHT = 380, 285
"""Pixels of every barrier photo."""
BODY = 150
"""Rows above a photo that are made up: bonnet, windscreen and roof, which the photo's upper edge cuts away."""


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a photo's car stands, in the photo's pixels.

    left, right: the middles of the plate's short sides; tall: their length. arm: x2 y1 y2 of the part of a barrier arm
    that reaches over the car from the left edge, or None. plate: what can be read.
    """

    left: tuple[int, int]
    right: tuple[int, int]
    tall: int
    plate: str
    arm: tuple[int, int, int] | None = None

    @property
    def middle(self) -> tuple[float, float]:
        """The plate's middle."""
        return (self.left[0] + self.right[0]) / 2, (self.left[1] + self.right[1]) / 2

    @property
    def wide(self) -> float:
        """The plate's width."""
        return float(self.right[0] - self.left[0])

    @property
    def slope(self) -> float:
        """How much the plate falls per pixel to the right: the camera looks from the side."""
        return (self.right[1] - self.left[1]) / (self.right[0] - self.left[0])


STANDS: dict[str, Stand] = {
    "carlong_0002": Stand((189, 142), (266, 140), 18, "51G10096"),
    "carlong_0008": Stand((123, 136), (225, 127), 24, "51F86988", (80, 34, 66)),
    "carlong_0078": Stand((128, 153), (235, 140), 23, "51F88270", (80, 30, 68)),
    "carlong_0120": Stand((139, 124), (239, 112), 23, "51F15585", (78, 30, 66)),
    "carlong_0130": Stand((109, 184), (219, 171), 26, "51F06532", (78, 30, 66)),
    "carlong_0133": Stand((273, 262), (350, 258), 19, "51A77529"),
    "carlong_0134": Stand((100, 179), (208, 171), 25, "51G29034", (78, 30, 66)),
    "carlong_0174": Stand((173, 164), (264, 157), 22, "51G31691"),
    "carlong_0178": Stand((169, 251), (272, 241), 24, "51G51332", (166, 208, 252)),
    "carlong_0183": Stand((198, 191), (287, 189), 20, "51F22261", (178, 186, 224)),
    "carlong_0184": Stand((299, 200), (379, 197), 22, "60A3598"),
    "carlong_0189": Stand((155, 170), (241, 167), 20, "51F32488"),
    "carlong_0199": Stand((268, 134), (327, 138), 18, "51F06532"),
    "carlong_0223": Stand((149, 138), (249, 125), 24, "51F59881"),
    "carlong_0234": Stand((103, 150), (206, 140), 24, "51G37307", (78, 4, 44)),
    "carlong_0236": Stand((106, 211), (222, 199), 27, "51F52170", (82, 28, 60)),
    "carlong_0263": Stand((100, 175), (207, 163), 26, "51F59011", (80, 26, 68)),
    "carlong_0265": Stand((81, 135), (186, 127), 27, "52P5688", (82, 26, 66)),
}
"""By photo. The corners come from the photos' labels, the plates were transcribed by eye."""

CUT = "carlong_0184"
"""Cut by its photo's right edge within the last character: it must stay unread."""
TWICE = ("carlong_0130", "carlong_0199")
"""One car, photographed twice."""
WHOLE = tuple(name for name in STANDS if name not in {CUT, "carlong_0133", "carlong_0178", "carlong_0199"})
"""Photos that show a whole car front: no side of it is cut off and nobody stands before it."""
