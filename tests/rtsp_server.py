"""A network camera that speaks RTSP 1.0 and sends JPEG over RTP in the same TCP connection (RFC 2326, 2435)."""

from __future__ import annotations

import base64
import socket
import struct
from collections.abc import Iterator

import cv2

from platefleet.models.detections import Frame
from tests.camera_servers import CameraServer

RTP_HZ = 90_000
MOST_PAYLOAD = 1400
SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track\r\n"


def parts_of(frame: Frame) -> tuple[bytes, bytes]:
    """The two quantisation tables of a JPEG of this frame, and its scan; OpenCV writes 4:2:0 and standard codes."""
    data = cv2.imencode(".jpg", frame)[1].tobytes()
    tables, at = b"", 2
    while True:
        marker, length = struct.unpack_from(">HH", data, at)
        if marker == 0xFFDB:
            segment = data[at + 4 : at + 2 + length]
            tables += b"".join(segment[n + 1 : n + 65] for n in range(0, len(segment), 65))
        at += 2 + length
        if marker == 0xFFDA:
            return tables, data[at:-2]


def packets(frame: Frame, timestamp: int, first: int) -> Iterator[bytes]:
    """RTP packets of one picture. Sides are multiples of 16."""
    tables, scan = parts_of(frame)
    height, width = frame.shape[:2]
    for number, offset in enumerate(range(0, len(scan), MOST_PAYLOAD)):
        piece = scan[offset : offset + MOST_PAYLOAD]
        last = offset + MOST_PAYLOAD >= len(scan)
        rtp = struct.pack(">BBHII", 0x80, 26 | (0x80 if last else 0), (first + number) & 0xFFFF, timestamp, 0x1234)
        jpeg = struct.pack(">I", offset) + bytes((1, 255, width // 8, height // 8))
        quantisation = b"" if offset else struct.pack(">BBH", 0, 0, len(tables)) + tables
        yield rtp + jpeg + quantisation + piece


def play(
    server: CameraServer,
    connection: socket.socket,
    frames: Iterator[tuple[float, Frame]],
    *,
    user: str | None = None,
) -> None:
    """Answer the handshake, then send frames at once as they come: (their time in seconds, picture)."""
    reader = connection.makefile("rb")
    wanted = None if user is None else "Basic " + base64.b64encode(user.encode()).decode()
    while True:
        request = reader.readline().decode()
        headers = {}
        while (line := reader.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if not request:
            return
        method = request.split(" ")[0]
        answer, body = {"CSeq": headers["cseq"], "Session": "1"}, ""
        status = "200 OK"
        if method == "DESCRIBE":
            if wanted is not None and headers.get("authorization") != wanted:
                status, answer["WWW-Authenticate"] = "401 Unauthorized", 'Basic realm="camera"'
            else:
                body = SDP
                answer |= {"Content-Type": "application/sdp", "Content-Length": str(len(body))}
        elif method == "SETUP":
            assert "TCP" in headers["transport"], "the agent asks for RTSP over TCP"
            answer["Transport"] = "RTP/AVP/TCP;unicast;interleaved=0-1"
        lines = "".join(f"{name}: {value}\r\n" for name, value in answer.items())
        connection.sendall(f"RTSP/1.0 {status}\r\n{lines}\r\n{body}".encode())
        if method == "PLAY":
            break
    sequence = 0
    for seconds, frame in frames:
        if server.stopped.is_set():
            return
        for packet in packets(frame, round(seconds * RTP_HZ) & 0xFFFFFFFF, sequence):
            connection.sendall(b"$\x00" + struct.pack(">H", len(packet)) + packet)
            sequence += 1
