from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from platefleet.models.checkpoint import read_checkpoint
from platefleet.models.errors import WeightsError
from tests.unit.models.checkpoints import Built, Call, Name, Persistent, module, network, opcodes, tensor, write


def test_a_checkpoint_is_read_as_arrays_and_names(tmp_path: Path) -> None:
    read = read_checkpoint(write(tmp_path / "a.pt", {"model": network()}))
    assert read.names == ("plate",)
    assert read.modules["0"].kind == "torch.nn.modules.conv.Conv2d"
    np.testing.assert_array_equal(read.modules["0"].arrays["weight"], np.arange(6, dtype=np.float32).reshape(2, 3))


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    half = np.array([0.1, 65504, -2], np.float16)
    weight = tensor("0", half, kind="HalfStorage")
    read = read_checkpoint(write(tmp_path / "a.pt", {"model": network(weight=weight)}, {"0": half.tobytes()}))
    assert read.modules["0"].arrays["weight"].dtype == np.float32
    np.testing.assert_array_equal(read.modules["0"].arrays["weight"], half.astype(np.float32))


def test_the_averaged_network_is_preferred(tmp_path: Path) -> None:
    both = {"model": network(names=["raw"]), "ema": network(names=["averaged"])}
    assert read_checkpoint(write(tmp_path / "a.pt", both)).names == ("averaged",)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        *(("os", "system"), ("posix", "system"), ("builtins", "eval"), ("__builtin__", "getattr")),
        *(("subprocess", "Popen"), ("operator", "attrgetter"), ("torch", "load"), ("torch.hub", "load")),
        *(("numpy", "load"), ("ultralyticsx", "Y"), ("torch.nn.modulesx", "Y")),
    ],
)
def test_a_name_that_no_detector_needs_is_refused_and_not_called(owner: str, name: str, tmp_path: Path) -> None:
    witness = tmp_path / "was-here"
    hostile = {"model": network(), "extra": Call(Name(owner, name), (f"touch {witness}",))}
    with pytest.raises(WeightsError, match=f"names {owner}.{name}, which no detector needs"):
        read_checkpoint(write(tmp_path / "a.pt", hostile))
    assert not witness.exists()


def test_a_class_of_ultralytics_is_a_record_and_its_code_is_not_run(tmp_path: Path) -> None:
    # The real one downloads and opens what it is given.
    child = Call(Name("ultralytics.engine.model", "Model"), ("https://example.invalid/model.pt",))
    read = read_checkpoint(write(tmp_path / "a.pt", {"model": network(child=child)}))
    assert read.modules["0"].kind == "ultralytics.engine.model.Model"


def test_a_pickle_cannot_change_what_builds_its_tensors(tmp_path: Path) -> None:
    built = opcodes(Name("torch._utils", "_rebuild_tensor_v2")) + opcodes((None, {"__call__": 1})) + b"b"
    with pytest.raises(WeightsError, match="damaged"):
        read_checkpoint(write(tmp_path / "a.pt", b"\x80\x02" + built + b"."))


def test_a_memo_slot_that_would_claim_all_memory_is_refused(tmp_path: Path) -> None:
    program = b"\x80\x02}r" + (2**31 - 1).to_bytes(4, "little") + b"."
    with pytest.raises(WeightsError, match="memo slot 2147483647"):
        read_checkpoint(write(tmp_path / "a.pt", program))


@pytest.mark.parametrize(
    "weight",
    [
        tensor("0", np.zeros((2, 3), np.float32), shape=(2, 4)),
        tensor("0", np.zeros((2, 3), np.float32), offset=1),
        tensor("0", np.zeros((2, 3), np.float32), offset=-1),
        tensor("0", np.zeros((2, 3), np.float32), shape=(-2, -3)),
        tensor("0", np.zeros((2, 3), np.float32), shape=(1 << 40, 0)),
        tensor("0", np.zeros((2, 9), np.float32)),
        tensor("1", np.zeros((2, 3), np.float32)),
        tensor("0", np.zeros((2, 3), np.float32), kind="HalfStorage"),
    ],
    ids=["larger", "behind", "before", "negative", "vast", "longer", "absent", "kind"],
)
def test_a_tensor_that_is_not_in_its_storage_is_refused_or_holds_nothing(weight: Call, tmp_path: Path) -> None:
    path = write(tmp_path / "a.pt", {"model": network(weight=weight)})
    try:
        read = read_checkpoint(path)
    except WeightsError:
        return
    assert read.modules["0"].arrays["weight"].size == 0


def test_an_overlapping_tensor_larger_than_its_storage_is_refused(tmp_path: Path) -> None:
    storage = Persistent(("storage", Name("torch", "FloatStorage"), "0", "cpu", 6))
    wide = Call(Name("torch._utils", "_rebuild_tensor_v2"), (storage, 0, (1 << 20, 1 << 20), (0, 0), False, {}))
    with pytest.raises(WeightsError, match="does not fit"):
        read_checkpoint(write(tmp_path / "a.pt", {"model": network(weight=wide)}))


def test_a_network_that_holds_itself_ends(tmp_path: Path) -> None:
    root = opcodes(Name("torch.nn.modules.container", "Sequential")) + b")\x81q\x00"
    inner = b"}(" + opcodes("_modules") + b"}(" + b"".join(opcodes(n) + b"h\x00" for n in "ab") + b"u"
    program = b"\x80\x02}(" + opcodes("model") + root + inner + opcodes("names") + opcodes(["plate"]) + b"ubu."
    with pytest.raises(WeightsError, match="more modules"):
        read_checkpoint(write(tmp_path / "a.pt", program))


@pytest.mark.parametrize(
    "root", [7, {}, {"model": None}, {"model": {"a": 1}}, {"model": network(names=3)}, {"model": network(names=[3])}]
)
def test_what_holds_no_detector_is_refused(root: object, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no (ultralytics )?detector"):
        read_checkpoint(write(tmp_path / "a.pt", root))


def test_a_compressed_archive_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pt", {"model": network()}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(WeightsError, match="compressed"):
        read_checkpoint(path)


def test_an_absent_file_and_one_that_is_no_archive_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        read_checkpoint(tmp_path / "none.pt")
    (tmp_path / "a.pt").write_bytes(b"not a zip")
    with pytest.raises(WeightsError, match="not a torch checkpoint"):
        read_checkpoint(tmp_path / "a.pt")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_pickle_is_a_weights_error_or_a_checkpoint(tmp_path: Path, data: st.DataObject) -> None:
    kinds: dict[str, object] = {"0": module("torch.nn.modules.conv.Conv2d")}
    whole = b"\x80\x02" + opcodes({"model": network(child=module("ultralytics.nn.C", children=kinds))}) + b"."
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole)
    for _ in range(data.draw(st.integers(0, 4)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_checkpoint(write(tmp_path / "a.pt", bytes(damaged)))
    except WeightsError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_archive_is_a_weights_error_or_a_checkpoint(tmp_path: Path, data: st.DataObject) -> None:
    path = write(tmp_path / "a.pt", {"model": network()})
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    try:
        read_checkpoint(path)
    except WeightsError as error:
        assert str(path) in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.materials
@pytest.mark.reference
def test_the_plate_checkpoint_reads_as_torch_reads_it(plate_checkpoint: Path) -> None:
    engine = pytest.importorskip("ultralytics.models")
    theirs = engine.YOLO(str(plate_checkpoint)).model.float().state_dict()
    read = read_checkpoint(plate_checkpoint)
    ours = {f"{path}.{name}": array for path, held in read.modules.items() for name, array in held.arrays.items()}
    assert set(ours) == set(theirs)
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name].numpy())
    assert read.names == ("license_plate",)


def test_records_of_one_class_do_not_share_what_they_hold(tmp_path: Path) -> None:
    pair: dict[str, object] = {str(n): Built(Name("ultralytics.nn.C", "D"), {"mark": n}) for n in range(2)}
    read = read_checkpoint(write(tmp_path / "a.pt", {"model": network(child=module("ultralytics.E", children=pair))}))
    assert [read.modules[f"0.{n}"].attributes["mark"] for n in range(2)] == [0, 1]
