"""Whether an artifact fits beside what runs, and what is said if it does not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from platefleet.models.artifacts.passport import Machine, Opening, Passport, Recipe
from platefleet.models.artifacts.room import (
    SPARE_BYTES,
    Beside,
    Free,
    Instead,
    Need,
    free_gpu_bytes,
    free_memory,
    need_of,
    way,
)

MB = 1 << 20
BYTES = st.integers(0, 64 << 30)


def an_artifact(fmt: str = "onnx", opening: Opening | None = None) -> Passport:
    recipe = Recipe.model_validate(
        {"role": "plate", "source": "ab" * 32, "format": fmt, "precision": "fp32", "size": 416}
    )
    files = {f"{'cd' * 32}.onnx": "cd" * 32}
    return Passport(key="0" * 32, recipe=recipe, machine=Machine(cpu="x"), files=files, made_utc_ns=1, opening=opening)


@given(st.builds(Need, BYTES, BYTES, st.none() | st.floats(0, 99)), st.builds(Free, BYTES, st.none() | BYTES))
def test_beside_is_chosen_exactly_if_both_memories_keep_their_spare(need: Need, free: Free) -> None:
    fits = need.memory_bytes + SPARE_BYTES <= free.memory_bytes
    fits_gpu = free.gpu_bytes is None or need.gpu_bytes + SPARE_BYTES <= free.gpu_bytes
    chosen = way(need, free)
    assert isinstance(chosen, Beside if fits and fits_gpu else Instead)
    if isinstance(chosen, Instead):
        assert chosen.pause_s == need.seconds


def test_which_memory_is_short_is_said() -> None:
    tight = way(Need(100 * MB, 900 * MB, 2.5), Free(8000 * MB, 1000 * MB))
    assert tight == Instead(
        "it does not fit beside what runs (about 900 MB of 1000 MB free on the GPU, 256 MB stay free): "
        "a pause of about 2.5 s",
        2.5,
    )


def test_what_was_seen_the_last_time_counts_and_without_it_the_size_of_the_file() -> None:
    seen = Opening(seconds=1.5, memory_bytes=7, gpu_bytes=8)
    assert need_of(an_artifact(opening=seen), 10 * MB) == Need(7, 8, 1.5)
    assert need_of(an_artifact(), 10 * MB) == Need(296 * MB, 0, None)
    assert need_of(an_artifact("tensorrt"), 10 * MB) == Need(296 * MB, 296 * MB, None)


def test_this_machine_tells_what_is_free() -> None:
    assert free_memory().memory_bytes > 0
    on_gpu = free_gpu_bytes()
    assert on_gpu is None or on_gpu > 0
