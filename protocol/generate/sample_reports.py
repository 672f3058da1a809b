"""Sample messages of what a device says of itself."""

from __future__ import annotations

from platefleet.protocol import messages as m


def reports(stamp: m.Stamp, last: m.Stamp) -> dict[type[m.Message], dict[str, m.Message]]:
    """Return samples of `Info` and `Health`."""
    machine = m.Hardware(model="Jetson Orin NX", cpu="aarch64", cores=8, memory_bytes=16 * 2**30, gpu="Orin")
    return {
        m.Info: {
            "an agent": m.Info(
                device="north-1",
                kind="agent",
                software="platefleet 0.1",
                started=stamp,
                install="c0ffee",
                hardware=machine,
                lanes=("in", "out"),
                artifacts=(
                    m.ArtifactInfo(role="plate", format="onnx", precision="fp32", digest="ab" * 32, active=True),
                ),
            ),
            "a gate, no optional field": m.Info(
                device="gate-1",
                kind="gate",
                software="",
                started=last,
                install="",
                hardware=m.Hardware(model="", cpu="", cores=0, memory_bytes=0),
            ),
        },
        m.Health: {
            "a running camera": m.Health(
                at=stamp,
                uptime_ms=30_000,
                cameras=(
                    m.CameraHealth(lane="in", state="running", fps=9.98, frames=300, last_frame_ms=101),
                    m.CameraHealth(lane="out", state="failed", why="no picture for 5 s; it is opened again"),
                ),
                latency_ms={"vehicle": (41.5, 60.0, 88.25)},
                temperature_c=-3.5,
                memory_bytes=512 * 2**20,
                outbox_depth=3,
                outbox_bytes=7_000,
                disk_free_bytes=20 * 2**30,
                counters={"appended": 12, "commits": 9},
                problems=("the disk is almost full: 96 % of 16 GB",),
            ),
            "nothing to tell": m.Health(at=last, uptime_ms=0),
        },
    }
