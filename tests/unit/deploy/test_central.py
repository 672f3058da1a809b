"""deploy/central: what its files name is there, and its settings are settings of the programs that they are for."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from platefleet.deploy import cli
from platefleet.fleet.console.settings import load
from platefleet.fleet.store.opening import parse
from tests.command_lines import checked, command_of

ROOT = Path(__file__).resolve().parents[3]
CENTRAL = ROOT / "deploy" / "central"
OWN = "${PLATEFLEET_CENTRAL:-./central}"
"""What is a site's own, and so not in the repository."""
COMPOSE: dict[str, Any] = yaml.safe_load((CENTRAL / "compose.yaml").read_text(encoding="utf-8"))
README = (CENTRAL / "README.md").read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "platefleet-central"}


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Return where in the container which file or volume of the host is."""
    pairs = [re.fullmatch(r"(\$\{[^}]*\}[^:]*|[^:]+):([^:]+)(?::ro)?", volume) for volume in service.get("volumes", ())]
    return {found[2]: found[1] for found in pairs if found is not None}


def own_files() -> list[str]:
    """Return every path of the site's own folder that the services name."""
    named = [host for service in SERVICES.values() for host in mounts(service).values()]
    named += [secret["file"] for secret in COMPOSE["secrets"].values()]
    return sorted(host.removeprefix(OWN + "/") for host in named if host.startswith(OWN))


def variables(module: ModuleType, words: list[str]) -> set[str]:
    """Return the environment variables that a command takes."""
    command = command_of(module, words)
    return {variable for each in command.params for variable in ([each.envvar] if each.envvar else [])}


def test_every_volume_is_understood() -> None:
    for name, service in SERVICES.items():
        assert len(mounts(service)) == len(service.get("volumes", ())), name


def test_every_file_that_is_mounted_is_in_the_repository_or_the_sites_own() -> None:
    for name, service in SERVICES.items():
        for host in mounts(service).values():
            known = host.startswith(OWN) or host in COMPOSE["volumes"] or (CENTRAL / host).exists()
            assert known, (name, host)


def test_the_page_says_how_each_of_the_sites_own_files_is_made() -> None:
    tree = README.partition("```\n")[2].partition("```")[0]
    for path in own_files():
        folder, _, name = path.rpartition("/")
        assert re.search(rf"\b{re.escape(name)}\b", tree), path
        assert f"central/{folder}".rstrip("/") in README, path


def test_what_a_service_names_it_has() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"]), name
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] != "service_healthy" or "healthcheck" in SERVICES[other], (name, other)
        there = {*mounts(service), *(f"/run/secrets/{secret}" for secret in service.get("secrets", ()))}
        for key, value in service.get("environment", {}).items():
            if key.endswith("FILE"):
                assert value in there, (name, key)
    assert {secret for each in SERVICES.values() for secret in each.get("secrets", ())} == set(COMPOSE["secrets"])


@pytest.mark.parametrize("name", OURS)
def test_a_service_of_ours_is_a_command_with_variables_that_it_takes(name: str) -> None:
    service = OURS[name]
    words = ["platefleet", *service["command"]]
    checked(cli, " ".join(words))
    known = variables(cli, words) | {"PGPASSFILE", "PLATEFLEET_CONSOLE_DATABASE"}
    assert set(service["environment"]) <= known
    assert "PLATEFLEET_CONSOLE_DATABASE" in variables(cli, ["platefleet", "fleet", "devices"])
    for key, value in service["environment"].items():
        if "DATABASE" in key:
            assert parse(value).host in SERVICES


def test_the_consoles_settings_are_settings_and_name_what_its_container_has() -> None:
    settings = load(CENTRAL / "console.toml")
    service = SERVICES["console"]
    there = {*mounts(service), *(f"/run/secrets/{secret}" for secret in service["secrets"])}
    assert {settings.broker.password_file, settings.broker.ca_file} <= there
    assert settings.broker.host in SERVICES
    assert settings.database == service["environment"]["PLATEFLEET_CONSOLE_DATABASE"]
    created = (CENTRAL / "databases.sql").read_text(encoding="utf-8")
    assert f"CREATE DATABASE {parse(settings.database).database} " in created


def test_the_brokers_users_stand_in_its_access_list_and_its_files_where_it_looks() -> None:
    acl = (ROOT / "deploy/broker/acl").read_text(encoding="utf-8")
    console = load(CENTRAL / "console.toml")
    for user in (OURS["ingest"]["environment"]["PLATEFLEET_INGEST_USERNAME"], console.client):
        assert f"\nuser {user}\n" in acl
    assert console.broker.username == console.client
    wanted = re.findall(r"/etc/mosquitto/platefleet/(\S+)$", (ROOT / "deploy/broker/mosquitto.conf").read_text(), re.M)
    assert "/etc/mosquitto/platefleet" in mounts(SERVICES["broker"])
    tree = README.partition("  broker/ ")[2].partition("\n")[0].split()
    assert set(wanted) <= {*tree, "passwords"} <= {*tree}


@pytest.mark.parametrize(
    ("config", "folder"), [("Caddyfile", "/etc/caddy/tls"), ("nginx.conf", "/etc/nginx/platefleet")]
)
def test_the_server_of_models_finds_its_certificate(config: str, folder: str) -> None:
    named = set(re.findall(r"/etc/\S+\.(?:pem|key)\b", (CENTRAL / config).read_text(encoding="utf-8")))
    assert named == {f"{folder}/models.pem", f"{folder}/models.key"}
    assert config != "Caddyfile" or folder in mounts(SERVICES["models"])


def test_the_image_is_made_from_what_a_build_needs_and_no_secret() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    taken = [line[1:] for line in lines if line.startswith("!")]
    assert all((ROOT / name).exists() for name in taken), taken
    assert {"platefleet", "protocol", "models", "agent", "fleet", "deploy", "pyproject.toml"} <= set(taken)
    assert {"README.md", "LICENSE"} <= set(taken)  # the project's metadata names them
    assert {"deploy/central/central", "**/*.key", "**/*.pem", "**/*.password"} <= set(lines)


def test_the_units_settings_on_the_page_are_settings(tmp_path: Path) -> None:
    environment, console = README.partition("ingest.env`")[2], tmp_path / "console.toml"
    lines = environment.partition("```sh\n")[2].partition("```")[0].split()
    named = {line.partition("=")[0] for line in lines}
    assert len(named) == 5
    assert named <= variables(cli, ["platefleet", "ingest", "run"])
    console.write_text(README.partition("```toml\n")[2].partition("```")[0])
    assert load(console).alarms.command[1:] == ("{device}", "{problem}")


def test_every_command_on_the_page_can_be_given() -> None:
    lines = re.findall(r"^(platefleet .+)$", README, re.MULTILINE)
    inside = re.findall(r" exec console (platefleet .+)$", README, re.MULTILINE)
    assert len(lines) >= 1
    assert len(inside) >= 1
    for line in (*lines, *inside):
        checked(cli, line)
    services = set(re.findall(r"compose.yaml (?:exec|logs --follow|kill -s HUP) (\w+)", README))
    assert services <= set(SERVICES)
