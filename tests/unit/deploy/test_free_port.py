"""Ports for servers that are started a moment later, or again after a kill."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from platefleet.deploy.demo.broker import HOST, KEPT, free_port


def test_a_free_port_is_none_that_the_kernel_gives_to_a_connection_meanwhile() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    ports = {free_port() for _ in range(20)}
    assert len(ports) > 1
    assert max(ports) < max(first, 32_768)
    for port in ports:
        with socket.socket() as server:
            server.bind((HOST, port))


HOLDER = """
import sys
from platefleet.deploy.demo.broker import free_port
ports = range(int(sys.argv[1]), int(sys.argv[2]))
while (port := free_port(ports)) in ports:
    print(port, flush=True)
print("all", flush=True)
input()
"""


@pytest.fixture
def ports() -> range:
    """A few that no other test, and no other run of this one on the machine, asks for."""
    first = random.SystemRandom().randrange(10_000, 19_000)
    return range(first, first + 10)


def test_a_port_that_another_process_was_given_is_given_to_nobody_before_that_process_ends(ports: range) -> None:
    command = [sys.executable, "-c", HOLDER, str(ports.start), str(ports.stop)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        held = {int(line) for line in iter(holder.stdout.readline, "all\n")}
        assert held
        assert free_port(ports) not in ports
        holder.kill()
    assert {free_port(ports) for _ in held} == held


def test_a_process_keeps_no_more_ports_than_it_can_need_at_a_time(ports: range) -> None:
    first = free_port(ports)
    only = range(first, first + 1)
    assert free_port(only) != first
    for _ in range(KEPT):
        free_port()
    assert free_port(only) == first
