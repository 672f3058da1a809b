"""Devices that fill back as fast as they are acknowledged and cost little: `ingest_flood.py PORT SECONDS`.

Bare sockets and one thread; records are made while they are sent, and kept nowhere. What is under way is bounded as an
uplink bounds it, and what was not covered for 5 s is sent again. Prints one line of JSON when all is covered.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from platefleet.deploy.bench.ingest_reference import DEVICES, a_crop
from platefleet.protocol import topics
from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.delivery.coverage import Ranges, count, merge, missing
from platefleet.protocol.delivery.effects import Limits
from platefleet.protocol.delivery.frame import freeze
from platefleet.protocol.ids import new_epoch
from platefleet.protocol.messages import Ack, Backfill, Host
from platefleet.protocol.session.link import CONTENT_TYPE

LIMITS = Limits()
AGAIN_S = LIMITS.again_ns / SECOND_NS
CONNECT, PUBLISH, PUBACK, SUBSCRIBE = 0x10, 0x32, 0x40, 0x82
"""First bytes of packets (source: MQTT 5, 2.1): PUBLISH with QoS 1."""


@dataclass
class _Sent:
    """A message: its last seq, when it was sent first, and when its records were sent again."""

    last: int
    first_s: float
    again_s: float


class Device:
    """One client and one epoch: sends while there is room, hears acks."""

    def __init__(self, number: int, port: int) -> None:
        name = f"flood-{number}"
        self._body = encode(a_crop(number))
        self.epoch = new_epoch()
        self.last = self.resent = 0
        self.ack_ms: list[float] = []
        self._size = len(freeze(self.epoch, 1, "crops", self._body).frame) + 8
        self._covered: Ranges = ()
        self._sent: deque[_Sent] = deque()
        self._served = False
        self._topic, self._acks = topics.backfill(name), topics.ack(name)
        self._unanswered = self._mid = 0
        self._in, self._out = bytearray(), bytearray()
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self._packet(CONNECT, _text("MQTT") + b"\x05\x02" + struct.pack("!H", 600) + b"\0" + _text(name))
        self._packet(SUBSCRIBE, b"\x00\x01\0" + _text(self._acks) + b"\x01" + _text(topics.every_host()) + b"\x01")

    @property
    def waiting(self) -> int:
        """How many records were sent and are not covered."""
        return self.last - count(self._covered)

    @property
    def writing(self) -> bool:
        """Whether bytes wait for the socket."""
        return bool(self._out)

    def fill(self, more: bool, now_s: float) -> None:
        """Send as much as may be under way: what is new, if there is `more`, or what seems lost."""
        oldest = self._sent[0] if self._sent else None
        if oldest is not None and now_s - oldest.again_s > AGAIN_S:
            oldest.again_s = now_s
            for first, last in missing(self._covered, oldest.last):
                self.resent += last + 1 - first
                self._tell(range(first, last + 1))
        most = min(LIMITS.outstanding_records, LIMITS.outstanding_bytes // self._size)
        while (
            more
            and self._served
            and self._unanswered < LIMITS.window_most
            and self.waiting + self._records_a_message <= most
        ):
            self._tell(range(self.last + 1, self.last + 1 + self._records_a_message))
            self.last += self._records_a_message
            self._sent.append(_Sent(self.last, now_s, now_s))

    def turn(self, readable: bool) -> None:
        """Read what is there and write what waits."""
        if readable:
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the broker closed the connection")
            self._in += data
            for kind, packet in self._packets():
                self._heard(kind & 0xF0, packet)
        if self._out:
            try:
                del self._out[: self.socket.send(self._out)]
            except BlockingIOError:
                return

    @property
    def _records_a_message(self) -> int:
        return LIMITS.batch_bytes // self._size

    def _tell(self, seqs: range) -> None:
        frames = tuple(freeze(self.epoch, seq, "crops", self._body).frame for seq in seqs)
        self._mid = self._mid % 65_535 + 1
        self._unanswered += 1
        content = b"\x03" + _text(CONTENT_TYPE)
        head = _text(self._topic) + struct.pack("!H", self._mid) + bytes([len(content)]) + content
        self._packet(PUBLISH, head + encode(Backfill(records=frames)))

    def _heard(self, kind: int, packet: bytes) -> None:
        match kind:
            case 0x40:  # PUBACK
                self._unanswered -= 1
                if len(packet) > 2 and packet[2] >= 0x80:
                    raise ConnectionError(f"the broker refused a message: 0x{packet[2]:02x}")
            case 0x30:  # PUBLISH
                at = 2 + int.from_bytes(packet[:2], "big")
                self._packet(PUBACK, packet[at : at + 2])
                topic, payload = packet[2:at].decode(), packet[at + 3 + packet[at + 2] :]
                if topic == self._acks:
                    self._acknowledged(decode(Ack, payload))
                elif payload:
                    self._served = decode(Host, payload).committing

    def _acknowledged(self, ack: Ack) -> None:
        told = [each for covered in ack.covered if covered.epoch == self.epoch for each in covered.covered]
        self._covered = merge([*self._covered, *told])
        now_s = time.monotonic()
        whole = self._covered[0][1] if self._covered and self._covered[0][0] == 1 else 0
        while self._sent and self._sent[0].last <= whole:
            self.ack_ms.append((now_s - self._sent.popleft().first_s) * 1000)

    def _packet(self, kind: int, rest: bytes) -> None:
        length, left = bytearray(), len(rest)
        while True:
            left, digit = divmod(left, 128)
            length.append(digit | (0x80 if left else 0))
            if not left:
                break
        self._out += bytes([kind]) + length + rest

    def _packets(self) -> Iterator[tuple[int, bytes]]:
        """Yield the whole packets that came in: first byte and what follows its length."""
        while len(self._in) >= 2:
            length = shift = 0
            at = 1
            while at < len(self._in):
                digit = self._in[at]
                length |= (digit & 0x7F) << shift
                shift += 7
                at += 1
                if digit < 0x80:
                    break
            else:
                return
            if len(self._in) < at + length:
                return
            kind, packet = self._in[0], bytes(self._in[at : at + length])
            del self._in[: at + length]
            yield kind, packet


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("!H", len(data)) + data


def main(port: int, seconds: float) -> None:
    """Load for `seconds`, then wait until all is covered."""
    devices = {each.socket.fileno(): each for each in (Device(number, port) for number in range(DEVICES))}
    begin_s = now_s = time.monotonic()
    while now_s < begin_s + seconds + 60 and (
        now_s < begin_s + seconds or any(device.waiting for device in devices.values())
    ):
        poll = select.poll()
        for number, device in devices.items():
            device.fill(now_s < begin_s + seconds, now_s)
            poll.register(number, select.POLLIN | (select.POLLOUT if device.writing else 0))
        for number, event in poll.poll(100):
            devices[number].turn(bool(event & ~select.POLLOUT))
        now_s = time.monotonic()
    took_ms = sorted(took for device in devices.values() for took in device.ack_ms)
    told: dict[str, float] = {
        "appended": sum(device.last for device in devices.values()),
        "resent": sum(device.resent for device in devices.values()),
        "covered": not any(device.waiting for device in devices.values()),
    }
    if took_ms:
        told |= {
            "ack_ms_p50": round(took_ms[len(took_ms) // 2], 1),
            "ack_ms_p99": round(took_ms[len(took_ms) * 99 // 100], 1),
        }
    print(json.dumps(told))
    for device in devices.values():
        device.socket.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
