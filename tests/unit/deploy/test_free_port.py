"""Ports for servers that are started a moment later, or again after a kill."""

from __future__ import annotations

import socket
from pathlib import Path

from platefleet.deploy.demo.broker import HOST, free_port


def test_a_free_port_is_none_that_the_kernel_gives_to_a_connection_meanwhile() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    ports = {free_port() for _ in range(20)}
    assert len(ports) > 1
    assert max(ports) < max(first, 32_768)
    for port in ports:
        with socket.socket() as server:
            server.bind((HOST, port))
