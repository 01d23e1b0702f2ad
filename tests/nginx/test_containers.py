"""Dockerfile and docker-compose.yml, as far as they can be judged without an engine."""

import re
from dataclasses import fields
from typing import Any

import pytest
import yaml

from app.settings import Settings
from tests.e2e.stack import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
STAGES = {
    name: text
    for text in re.split(r"(?m)^(?=FROM )", DOCKERFILE)[1:]
    for name in re.findall(r"^FROM \S+ AS (\w+)", text)
}


def test_the_stages_are_known() -> None:
    """One to build in, and one for each service."""
    assert list(STAGES) == ["build", "web", "nginx"]
    assert {service["build"]["target"] for service in COMPOSE["services"].values()} == {"web", "nginx"}


def test_the_base_images_can_be_chosen_and_nothing_else_is_pulled() -> None:
    """Two arguments; no other image, no digest, no `latest`, no frontend of its own."""
    assert re.findall(r"(?m)^ARG (.*)", DOCKERFILE) == [
        "PYTHON_IMAGE=python:3.13-slim-bookworm",
        "DEBIAN_IMAGE=debian:bookworm-slim",
    ]
    assert re.findall(r"(?m)^FROM (\S+)", DOCKERFILE) == ["${PYTHON_IMAGE}", "${PYTHON_IMAGE}", "${DEBIAN_IMAGE}"]
    assert not re.search(r"@sha256|:latest|# *syntax *=|--from=[^b]", DOCKERFILE)


def test_the_dependencies_come_before_the_code() -> None:
    """A change of code installs nothing anew; what is installed is what was locked."""
    assert STAGES["build"].index("--require-hashes") < STAGES["build"].index("COPY app/")


@pytest.mark.parametrize("name", ["web", "nginx"])
def test_an_image_is_not_root_and_can_be_asked_for_its_health(name: str) -> None:
    """A number for a user, so that it can be checked; a health check with what is there anyway."""
    assert re.search(r"(?m)^USER [1-9]\d*:[1-9]\d*$", STAGES[name])
    (check,) = re.findall(r"(?ms)^HEALTHCHECK (.*?[^\\])$", STAGES[name])
    assert not re.search(r"curl|wget", check)


def test_only_what_the_images_are_made_of_is_sent_to_the_engine() -> None:
    """.dockerignore lets through what the Dockerfile copies, and nothing else."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    copied = re.findall(r"(?m)^COPY (?!--from)(\S+)", DOCKERFILE)
    assert sorted(line[1:] for line in lines if line.startswith("!")) == sorted(copied)


@pytest.mark.parametrize("name", ["web", "nginx"])
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    """Whatever else changes."""
    expected = {
        "restart": "unless-stopped",
        "init": True,
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }
    service = COMPOSE["services"][name]
    assert {key: service.get(key) for key in expected} == expected
    assert not {"privileged", "cap_add", "user", "network_mode", "pid"} & service.keys()


def test_only_nginx_is_published() -> None:
    """On port 80 unless HTTP_PORT says otherwise, and only once the service is ready."""
    web, nginx = COMPOSE["services"]["web"], COMPOSE["services"]["nginx"]
    assert ("ports" in web, nginx["ports"]) == (False, ["${HTTP_PORT:-80}:8080"])
    assert nginx["depends_on"]["web"]["condition"] == "service_healthy"
    assert (web["networks"], COMPOSE["networks"]["inner"]) == (["inner"], {"internal": True})


def test_the_database_is_on_the_volume() -> None:
    """Where else it would be lost with the container."""
    web = COMPOSE["services"]["web"]
    assert web["volumes"] == ["items:/data"]
    assert web["environment"]["DATABASE_URL"] == "sqlite:////data/items.db"
    assert list(COMPOSE["volumes"]) == ["items"]


def test_the_compose_file_sets_only_what_can_be_set() -> None:
    """Settings of the service, and Gunicorn's own variable."""
    known = {setting.name.upper() for setting in fields(Settings)} | {"FORWARDED_ALLOW_IPS"}
    assert COMPOSE["services"]["web"]["environment"].keys() <= known
