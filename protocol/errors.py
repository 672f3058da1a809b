"""The tree of errors: every failure that the project raises on purpose is a `PlatefleetError`.

Each message is one sentence that says what happened, where, and what to do about it.

PlatefleetError
├── ConfigError            a setting that cannot be used, by key
├── ProtocolError          bytes from somebody else that are not a message of this version
│   ├── Oversized          more of something than a limit allows
│   └── UnknownVersion     a version that this program does not speak
├── SignatureError         an envelope that is not signed by whom it should be
├── SessionError           the broker refused, or the session cannot go on
├── OutboxError            the outbox cannot take a record
├── ModelError             a model, its weights or its runtime (`models/errors.py` has its branches)
├── CameraError            a camera that gives no pictures
├── StoreError             the store cannot commit
├── GateError              the gate cannot act
└── CommandError           a command that cannot be carried out or written down (`models/operations` has its branches)
"""


class PlatefleetError(Exception):
    """The root: `except PlatefleetError` at a program's edge prints one sentence and ends with status 1."""

    problems: tuple[str, ...] = ()
    """Where several things are wrong at once: a sentence for each, printed on lines of their own."""


class ConfigError(PlatefleetError):
    """A setting that cannot be used; the sentence names the key and what would be right."""


class ProtocolError(PlatefleetError):
    """Bytes that are not a message of this version. The only error that decoding raises."""


class Oversized(ProtocolError):
    """More bytes, nesting, elements or characters than a stated limit allows."""


class UnknownVersion(ProtocolError):
    """A message of a version that this program does not speak; nothing in it is acted on."""


class SignatureError(PlatefleetError):
    """An envelope whose signature is missing, wrong, or by a key that is not trusted for it."""


class SessionError(PlatefleetError):
    """The broker refused the session, or the session ended and cannot go on."""


class OutboxError(PlatefleetError):
    """The outbox cannot take a record: too large, or its memory or disk is full."""


class ModelError(PlatefleetError):
    """A model, its weights or its runtime; the branches stand in `models/errors.py`."""


class CameraError(PlatefleetError):
    """A camera that cannot be opened or gives no pictures; the camera is opened again after a pause."""


class StoreError(PlatefleetError):
    """The store cannot commit; the records stay with the devices that sent them."""


class GateError(PlatefleetError):
    """The gate cannot act: its journal is locked or broken, its allow-list or an output does not work."""


class CommandError(PlatefleetError):
    """A command that cannot be carried out now, was stopped, or cannot be written down; its status says so."""
