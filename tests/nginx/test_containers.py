"""Dockerfile and docker-compose.yml, as far as they can be tested without Docker."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from tests.e2e.stack import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = ("web", "nginx", "postgres")
STAGES = {
    name: text
    for text in re.split(r"(?m)^(?=FROM )", DOCKERFILE)[1:]
    for name in re.findall(r"^FROM \S+ AS (\w+)", text)
}


def test_the_stages_are_known() -> None:
    """There is a build stage, and one stage per service. The migration runs in the image of the service."""
    assert list(STAGES) == ["build", *SERVICES]
    assert {name: service["build"]["target"] for name, service in COMPOSE["services"].items()} == {
        **{name: name for name in SERVICES},
        "migrate": "web",
    }


def test_the_base_images_are_arguments_and_nothing_else_is_pulled() -> None:
    """Two of the arguments are images, and there is no other image, digest, `latest` tag or syntax frontend."""
    assert re.findall(r"(?m)^ARG (\w+_IMAGE=.*)", DOCKERFILE) == [
        "PYTHON_IMAGE=python:3.13-slim-bookworm",
        "DEBIAN_IMAGE=debian:bookworm-slim",
    ]
    assert re.findall(r"(?m)^FROM (\S+)", DOCKERFILE) == [
        *["${PYTHON_IMAGE}"] * 2,
        *["${DEBIAN_IMAGE}"] * 2,
    ]
    assert not re.search(r"@sha256|:latest|# *syntax *=|--from=[^b]", DOCKERFILE)


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_has_the_labels_of_oci(name: str) -> None:
    """They come last, because they change with each build. docker-compose.yml passes their arguments."""
    *_, argument, label = re.findall(r"(?ms)^[A-Z]+ .*?[^\\]$", STAGES[name])
    assert argument == "ARG IMAGE_VERSION IMAGE_REVISION IMAGE_CREATED IMAGE_SOURCE"
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]+)"', label))
    for own in ("title", "description"):
        assert labels.pop(own)
    given = ("version", "revision", "created", "source")
    assert labels == {"licenses": "MIT", **{one: f"$IMAGE_{one.upper()}" for one in given}}
    assert COMPOSE["services"][name]["build"]["args"] == argument.split()[1:]


def test_the_labels_do_not_change_without_arguments() -> None:
    """The version is that of the contract, and there is no time."""
    version = yaml.safe_load((ROOT / "openapi" / "items.yaml").read_text())["info"]["version"]
    assert re.findall(r"(?m)^ARG (IMAGE_\w+=.*)", DOCKERFILE) == [
        f"IMAGE_VERSION={version}",
        "IMAGE_REVISION=",
        "IMAGE_CREATED=1970-01-01T00:00:00Z",
        "IMAGE_SOURCE=",
    ]


def test_the_dependencies_come_before_the_code() -> None:
    """A change of code does not reinstall dependencies, and only locked dependencies are installed."""
    assert STAGES["build"].index("--require-hashes") < STAGES["build"].index("COPY app/")


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_not_root_and_has_a_health_check(name: str) -> None:
    """The user is a number, so it can be verified, and the health check needs no additional program."""
    assert re.search(r"(?m)^USER [1-9]\d*:[1-9]\d*$", STAGES[name])
    (check,) = re.findall(r"(?ms)^HEALTHCHECK (.*?[^\\])$", STAGES[name])
    assert not re.search(r"curl|wget", check)


def test_the_build_context_has_only_what_the_images_need() -> None:
    """.dockerignore includes exactly what the Dockerfile copies."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    copied = re.findall(r"(?m)^COPY (?!--from)(\S+)", DOCKERFILE)
    assert sorted(line[1:] for line in lines if line.startswith("!")) == sorted(copied)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    """All services are hardened in the same way."""
    expected = {
        "restart": "unless-stopped",
        "init": True,
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }
    service = COMPOSE["services"][name]
    assert {key: service.get(key) for key in expected} == expected
    assert service.get("network_mode") in (None, "none")
    assert not {"privileged", "cap_add", "user", "pid"} & service.keys()


def test_only_nginx_is_published() -> None:
    """By default on port 80, with TLS on 443, for this machine only. It is not replaced together with the service."""
    web, nginx = COMPOSE["services"]["web"], COMPOSE["services"]["nginx"]
    assert ("ports" in web, nginx["ports"]) == (False, ["${HTTP_IP:-127.0.0.1}:${HTTP_PORT:-80}:8080"])
    assert nginx["extends"] == {"file": "containers/ports.yml", "service": "http${TLS:+s}"}
    added = yaml.safe_load((ROOT / "containers" / "ports.yml").read_text())["services"]
    assert added == {"http": {}, "https": {"ports": ["${HTTP_IP:-127.0.0.1}:${HTTPS_PORT:-443}:8443"]}}
    assert "depends_on" not in nginx
    assert "ports" not in COMPOSE["services"]["postgres"]


def test_no_container_can_reach_more_than_it_needs() -> None:
    """The service has no way out, unless it needs one to a database of the user's own."""
    networks = {
        name: service.get("networks", service.get("network_mode")) for name, service in COMPOSE["services"].items()
    }
    to_database = ["inner${DATABASE_URL:+-and-outer}"]
    assert networks == {"web": to_database, "migrate": to_database, "nginx": ["outer"], "postgres": "none"}
    assert COMPOSE["networks"] == {"inner": {"internal": True}, "inner-and-outer": None, "outer": None}


def test_the_data_is_on_volumes() -> None:
    """Anywhere else it would be deleted with the container. A container writes only to volumes that it owns."""
    assert {name: service["volumes"] for name, service in COMPOSE["services"].items()} == {
        "web": ["items:/data", "sockets:/run/web", "postgres-socket:/run/postgresql:ro"],
        "migrate": ["postgres-socket:/run/postgresql:ro"],
        "nginx": ["sockets:/run/web:ro", "${TLS_CERTIFICATES:-certificates}:/etc/nginx/tls:ro"],
        "postgres": ["postgres:/var/lib/postgresql", "postgres-socket:/run/postgresql"],
    }
    assert list(COMPOSE["volumes"]) == ["certificates", "items", "sockets", "postgres", "postgres-socket"]


def test_instances_count_rate_limits_in_memory_that_they_share() -> None:
    """The volume is in nginx as well, so the counts outlive a restart of the service."""
    file = Path(COMPOSE["services"]["web"]["environment"]["RATE_LIMIT_FILE"])
    assert f"sockets:{file.parent}" in COMPOSE["services"]["web"]["volumes"]
    assert COMPOSE["volumes"]["sockets"]["driver_opts"]["type"] == "tmpfs"


def test_postgresql_is_only_in_its_profile_and_without_a_password() -> None:
    """The service waits for it and for its migration, if they run at all. There is nothing that could be a secret."""
    postgres = COMPOSE["services"]["postgres"]
    assert (postgres["profiles"], postgres.get("environment")) == (["postgres"], None)
    web = COMPOSE["services"]["web"]
    healthy = {"postgres": {"condition": "service_healthy", "required": False}}
    migrated = {"migrate": {"condition": "service_completed_successfully", "required": False}}
    assert web["depends_on"] == healthy | migrated
    assert COMPOSE["services"]["migrate"]["depends_on"] == healthy
    assert COMPOSE["services"]["migrate"]["profiles"] == ["postgres"]
    assert web["environment"]["DATABASE_URL"] == "${DATABASE_URL:-}"
    assert not re.search("(?i)password(?! and no port)", (ROOT / "containers" / "postgres.sh").read_text())


def test_the_compose_file_sets_only_known_variables() -> None:
    """The variables are settings of the service, Gunicorn's own variable, and that of containers/web.py."""
    known = {setting.name.upper() for setting in fields(Settings)} | {"FORWARDED_ALLOW_IPS", "HTTP_IP"}
    assert COMPOSE["services"]["web"]["environment"].keys() <= known
