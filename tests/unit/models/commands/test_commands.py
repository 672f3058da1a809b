"""`platefleet models …` as a person types it: from weights to an artifact that runs, and what is said of mistakes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest
from typer.testing import CliRunner

from platefleet.models.acceptance.dataset import Dataset, load_dataset
from platefleet.models.artifacts.passport import Opening
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.artifacts.upkeep import DAY_NS, prune
from platefleet.models.commands.cli import app
from platefleet.models.own_days import held
from platefleet.protocol.errors import PlatefleetError
from tests.artifact_stores import Built, photo_folder, placed
from tests.broken_models import scaled

COMMANDS = tuple("add list show fetch build evaluate bench activate rollback verify prune".split())  # noqa: SIM905


def run(store: ArtifactStore | Path, *arguments: str) -> tuple[int, str, str]:
    """Run a command against a store; an error of ours is status 1 and its sentence, as the root prints it."""
    root = store if isinstance(store, Path) else store.root
    done = CliRunner().invoke(app, list(arguments), env={"PLATEFLEET_ARTIFACTS": str(root), "COLUMNS": "160"})
    if isinstance(done.exception, PlatefleetError):
        return 1, done.stdout, str(done.exception)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def told(store: ArtifactStore | Path, *arguments: str) -> Any:
    """Run a command that succeeds and return its JSON."""
    status, out, said = run(store, *arguments, "--json")
    assert status == 0, said
    return json.loads(out)


def accepted(store: ArtifactStore, built: Built) -> None:
    """Write what an evaluation on many frames would."""
    store.update(
        "plate",
        built.int8.key,
        lambda each: each.model_copy(update={"verdict": each.verdict.model_copy(update={"judged": "accepted"})}),
    )


def test_every_command_is_there_with_an_example_in_its_help(tmp_path: Path) -> None:
    for command in [
        "add",
        "list",
        "show",
        "fetch",
        "build",
        "evaluate",
        "bench",
        "activate",
        "rollback",
        "verify",
        "prune",
    ]:
        status, out, said = run(tmp_path, command, "--help")
        assert status == 0, said
        assert f"Example: platefleet models {command}" in " ".join(out.split())


def test_an_empty_store_says_how_to_begin_and_asking_makes_nothing(tmp_path: Path) -> None:
    root = tmp_path / "artifacts"
    assert run(root, "list")[1] == f"{root}: empty; `platefleet models add` takes weights\n"
    assert told(root, "list") == {"sources": [], "artifacts": []}
    status, _, said = run(root, "verify")
    assert (status, said) == (1, f"{root}: there is no store; name its folder with --store")
    assert not root.exists()


def test_a_pickle_enters_only_with_its_digest(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"weights")
    status, _, said = run(tmp_path / "s", "add", str(tmp_path / "a.pt"), "--role", "plate")
    assert (status, "name its SHA-256" in said) == (1, True)
    status, _, said = run(tmp_path / "s", "add", str(tmp_path / "a.pt"), "--role", "plate", "--sha256", "ab" * 32)
    assert (status, "fetch it again" in said) == (1, True)
    assert told(tmp_path / "s", "list")["sources"] == []


@pytest.mark.materials
def test_from_weights_to_an_artifact_that_runs_and_back(
    built: Built, plate_weights: Path, photos: Dataset, tmp_path: Path
) -> None:
    root = tmp_path / "artifacts"
    source = told(root, "add", str(plate_weights), "--role", "plate")["source"]
    assert source == built.baseline.recipe.source
    first = told(root, "build", "--role", "plate")
    assert first["files"] == dict(built.baseline.files)
    assert told(root, "activate", first["key"][:6])["confirmed"] is True
    small = placed(ArtifactStore(root), built.int8.recipe, built.store.model(built.int8)).key
    frames = str(photos.paths[0].parent)
    judged = told(root, "evaluate", small[:6], "--frames", frames, "--worst", str(tmp_path / "worst"))
    assert judged["verdict"]["judged"] in {"undecided", "rejected"}
    assert set(judged["metrics"]["now"]) == {"map_50_95", "map_50", "recall"}
    strict = told(root, "evaluate", small[:6], "--frames", frames, "--faster", "500")
    assert strict["verdict"]["judged"] == "rejected"
    assert "times as fast as the baseline, not 500" in strict["verdict"]["reason"]
    ArtifactStore(root).update(
        "plate",
        small,
        lambda each: each.model_copy(update={"verdict": each.verdict.model_copy(update={"judged": "accepted"})}),
    )
    assert told(root, "activate", small[:6])["confirmed"] is False
    rows = {row["key"]: row["state"] for row in told(root, "list")["artifacts"]}
    assert rows == {small: "on trial", first["key"]: "previous"}
    assert told(root, "rollback", "--role", "plate")["key"] == first["key"]
    assert run(root, "verify")[0] == 0


@pytest.mark.materials
def test_the_list_shows_a_line_for_each_artifact_and_show_everything(store: ArtifactStore, built: Built) -> None:
    out = run(store, "list")[1]
    assert f"plate/onnx/int8/{built.int8.key[:8]}" in out
    assert "unmeasured" in out
    kept = store.passport("plate", built.int8.key)  # another test may have opened it, and taken the time down
    assert told(store, "show", kept.key[:8]) == kept.model_dump(mode="json")
    assert '"calibration"' in run(store, "show", built.int8.key[:8])[1]


@pytest.mark.materials
def test_what_was_not_accepted_does_not_run_and_what_runs_goes_on(store: ArtifactStore, built: Built) -> None:
    told(store, "activate", built.baseline.key)
    before = store.active("plate")
    status, _, said = run(store, "activate", built.int8.key)
    assert (status, "was not measured yet; run `platefleet models evaluate` first" in said) == (1, True)
    assert store.active("plate") == before


@pytest.mark.materials
def test_activate_says_whether_it_fits_beside_what_runs_or_how_long_the_pause_will_be(
    store: ArtifactStore, built: Built
) -> None:
    accepted(store, built)
    first = told(store, "activate", built.baseline.key)
    assert first["loading"]["beside"] is True
    assert first["loading"]["said"].startswith("it fits beside what runs: about ")
    seen = Opening(seconds=1.5, memory_bytes=1 << 50)  # as it was on a larger device
    store.update("plate", built.int8.key, lambda each: each.model_copy(update={"opening": seen}))
    out = run(store, "activate", built.int8.key)[1].splitlines()
    assert out[0] == f"plate/onnx/int8/{built.int8.key[:8]}: on trial"
    assert out[1].startswith("it does not fit beside what runs (about 1073741824 MB of ")
    assert out[1].endswith("a pause of about 1.5 s, which a running agent makes as soon as no car is there")
    active = store.active("plate")
    assert active is not None
    assert (active.key, active.confirmed) == (built.int8.key, False)


@pytest.mark.materials
def test_a_damaged_artifact_is_found_by_verify_and_refused_by_activate(store: ArtifactStore, built: Built) -> None:
    accepted(store, built)
    path = store.home(built.int8) / built.int8.model
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    status, out, _ = run(store, "verify")
    assert (status, "is damaged; build it again" in out) == (1, True)
    status, _, said = run(store, "activate", built.int8.key)
    assert (status, "is damaged; build it again" in said) == (1, True)
    assert store.active("plate") is None


@pytest.mark.materials
def test_an_onnx_that_rotted_since_it_was_built_from_is_told_pruned_and_not_used(
    store: ArtifactStore, built: Built
) -> None:
    (path,) = (store.root / "plate" / "onnx").iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    status, out, _ = run(store, "verify")
    assert (status, "is not what was built from" in out) == (1, True)
    assert store.sound_onnx("plate", built.baseline.recipe.source, 416) is None
    assert f"plate/onnx/{path.name}" in told(store, "prune", "--keep", built.int8.key)["removed"]
    assert run(store, "verify")[0] == 0


@pytest.mark.materials
def test_prune_keeps_what_runs_what_ran_what_is_named_and_baselines(
    store: ArtifactStore, built: Built, plate_weights: Path, tmp_path: Path
) -> None:
    accepted(store, built)
    for key in (built.baseline.key, built.int8.key):
        told(store, "activate", key)
    recipe = built.baseline.recipe.model_copy(update={"precision": "fp16"})
    spare = placed(store, recipe, scaled(plate_weights, tmp_path / "spare.onnx"))
    gone = f"plate/built/{spare.key}"
    assert told(store, "prune", "--dry-run") == {"removed": [gone], "undecided": [], "dry_run": True}
    assert told(store, "prune", "--keep", spare.key[:8])["removed"] == []
    assert told(store, "prune")["removed"] == [gone]
    assert {each.key for each in store.passports("plate")} == {built.baseline.key, built.int8.key}
    assert run(store, "prune")[1] == "nothing to remove\n"


@pytest.mark.materials
def test_prune_keeps_for_a_time_what_may_still_be_decided_and_says_so(store: ArtifactStore, built: Built) -> None:
    told(store, "activate", built.baseline.key)
    assert told(store, "prune") == {"removed": [], "undecided": [built.int8.key], "dry_run": False}
    said = run(store, "prune")[1].splitlines()
    assert said == [
        "nothing to remove",
        f"{built.int8.title}: unmeasured, and kept for 60 days after it was made (--undecided-days)",
    ]
    gone = told(store, "prune", "--undecided-days", "0", "--dry-run")
    assert (gone["removed"], gone["undecided"]) == ([f"plate/built/{built.int8.key}"], [])
    kept_ns = round(59.9 * DAY_NS)
    assert prune(store, dry_run=True, now_utc_ns=lambda: built.int8.made_utc_ns + kept_ns).removed == ()
    later = prune(store, now_utc_ns=lambda: built.int8.made_utc_ns + 60 * DAY_NS)
    assert (later.removed, later.spared) == ((store.home(built.int8),), ())
    assert [each.key for each in store.passports("plate")] == [built.baseline.key]


@pytest.mark.materials
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("build", "--role", "plates"), "--role: 'plates' is no role; vehicle, plate or reader would be right."),
        (("build", "--role", "reader"), "holds no source; add weights with `platefleet models add`"),
        (
            ("build", "--role", "plate", "--precision", "int4"),
            "'int4' cannot be used; it should be 'fp32', 'fp16'",
        ),
        (("build", "--role", "plate", "--format", "coreml"), "'coreml' cannot be used; it should be 'pt', 'onnx' or"),
        (
            ("build", "--role", "plate", "--size", "5"),
            "--size: 5 cannot be used; it should be greater than",
        ),
        (("build", "--role", "plate", "--size", "417"), "--size: 417 cannot be used: a multiple of 32 pixels"),
        (("build", "--role", "plate", "--size", "0"), "--size: 0 cannot be used; it should be greater than"),
        (("add", "x.onnx", "--role", "plate", "--sha256", "abcd"), "--sha256: 'abcd' is no SHA-256; 64 digits of"),
        (("build", "--role", "plate", "--precision", "int8"), "needs frames to calibrate on"),
        (("build", "--role", "plate", "--precision", "int8", "--calibration", "EMPTY"), "holds no pictures"),
        (("evaluate", "0000", "--frames", "PHOTOS"), "0000: no such artifact; see `platefleet models list`"),
        (("evaluate", "KEY", "--frames", "nowhere"), "nowhere: no such folder"),
        (("evaluate", "KEY", "--frames", "HALF"), "1 of 2 pictures have no label file"),
        (("evaluate", "KEY"), "--frames: name a folder with pictures, or count the device's own frames with --own."),
        (
            ("evaluate", "KEY", "--own"),
            "frames/evaluation: no such folder; the agent keeps frames of its own",
        ),
        (
            ("build", "--role", "plate", "--precision", "int8", "--calibration", "OWN"),
            "own frames of days that are not for calibration",
        ),
        (("evaluate", "KEY", "--frames", "PHOTOS", "--climb"), "only FP16 has sensitive layers to keep in FP32"),
        (("activate", ""), "no such artifact"),
        (("show", "\x1b[2J"), "\\x1b[2J: no such artifact"),
        (("rollback", "--role", "plate"), "plate: nothing is active; activate an artifact"),
        (("add", "nowhere.onnx", "--role", "plate"), "nowhere.onnx: is not there; check the path"),
        (("add", "weights.h5", "--role", "plate"), ".h5 names no kind of weights"),
        (
            (
                "fetch",
                "https://a.example/a.onnx",
                "--role",
                "plate",
                "--host",
                "b.example",
                "--sha256",
                "ab" * 32,
                "--size",
                "9",
            ),
            "a.example: is not one of the hosts that models come from (b.example); allow it: commands.hosts or --host",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_changes_nothing(  # noqa: PLR0917 - fixtures and a case
    built: Built,
    photos: Dataset,
    barrier_photos: tuple[Path, ...],
    tmp_path: Path,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    half = photo_folder(barrier_photos[:2], tmp_path / "half")
    next(half.glob("*.txt")).unlink()
    (tmp_path / "empty").mkdir()
    (tmp_path / "own").mkdir()
    shutil.copy(barrier_photos[0], tmp_path / "own" / "2026-11-24T11-00-00.123Z_entry_plate.jpg")
    names = {
        "OWN": str(tmp_path / "own"),
        "EMPTY": str(tmp_path / "empty"),
        "HALF": str(half),
        "PHOTOS": str(photos.paths[0].parent),
        "KEY": built.int8.key,
    }
    before = sorted(path for path in built.store.root.rglob("*") if path.is_file())
    status, out, sentence = run(built.store, *(names.get(each, each) for each in arguments))
    assert (status, out) == (1, "")
    assert said in sentence
    assert "\n" not in sentence
    assert sorted(path for path in built.store.root.rglob("*") if path.is_file()) == before


@pytest.mark.materials
def test_own_frames_are_counted_although_the_agent_lets_one_go_meanwhile(
    store: ArtifactStore, built: Built, photos: Dataset, barrier_photos: tuple[Path, ...]
) -> None:
    kept = store.root / "frames" / "evaluation"
    kept.mkdir(parents=True)
    for number, photo in enumerate(barrier_photos[6:8]):
        cv2.imwrite(str(kept / f"2026-11-24T11-00-{number:02}.123Z_entry_plate.jpg"), cv2.imread(str(photo)))
    with store.staged("plate") as room:
        linked = held(kept, room / "own")
        next(kept.iterdir()).unlink()
        assert len(load_dataset(linked)) == 2
    judged = told(store, "evaluate", built.int8.key, "--frames", str(photos.paths[0].parent), "--own")
    assert (judged["verdict"]["numbers"]["cases"], judged["verdict"]["numbers"]["own_cases"]) == (9, 1)
    assert list((store.root / "plate" / "tmp").iterdir()) == []


def test_a_missing_option_is_a_usage_error(tmp_path: Path) -> None:
    for arguments in (("build",), ("evaluate",), ("fetch", "https://a.example/a.onnx"), ("add", "x.onnx")):
        status, _, said = run(tmp_path, *arguments)
        assert status == 2
        assert "Missing " in said


def test_the_root_knows_the_commands_without_importing_them() -> None:
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom platefleet.deploy.cli import app\n"
        "done = CliRunner().invoke(app, ['--help'])\n"
        "print('models' in done.output, [n for n in ('numpy', 'pydantic', 'rich.progress', 'platefleet.models') "
        "if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True []"


def test_typed_in_a_shell_an_error_is_one_line_and_status_1(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "platefleet.deploy.cli", "models", "show", "3f2a", "--store", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "platefleet: 3f2a: no such artifact; see `platefleet models list`\n"


@pytest.mark.materials
def test_of_two_activations_at_once_one_comes_first_and_the_other_builds_on_it(
    store: ArtifactStore, built: Built
) -> None:
    accepted(store, built)
    told(store, "activate", built.baseline.key)
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from platefleet.models.artifacts.activation import activated\n"
        "from platefleet.models.artifacts.store import ArtifactStore\n"
        "from platefleet.models.errors import ArtifactError\n"
        "store = ArtifactStore(Path(sys.argv[1])); passport = store.passport('plate', sys.argv[2])\n"
        "sys.stdin.readline()\n"
        "try:\n    print(store.choose('plate', lambda now: activated(now, passport)).number)\n"
        "except ArtifactError as error:\n    print(error)\n"
    )
    command = [sys.executable, "-c", program, str(store.root), built.int8.key]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for each in both:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    outputs = [each.communicate(timeout=60)[0].strip() for each in both]
    assert sorted(outputs) == ["2", f"plate/onnx/int8/{built.int8.key[:8]}: is active already"]
    active = store.active("plate")
    assert active is not None
    assert (active.key, active.previous, active.number) == (built.int8.key, built.baseline.key, 2)
