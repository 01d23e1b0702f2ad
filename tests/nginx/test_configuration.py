"""Nginx/ against what it has to agree with: the contract, the service, Gunicorn, and its own rules."""

import json
import re
import runpy
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from app import edge
from app.pages import CONTENT_SECURITY_POLICY
from contract.problems import status_title
from tests.e2e.stack import NGINX_CONF, ROOT, configure, free_port
from tests.support import ALLOW, PATHS, resolve, schema_errors, specification

FILES = sorted(NGINX_CONF.rglob("*.conf"))
MAPS = NGINX_CONF / "http.d" / "problem-details.conf"
TOKEN = re.compile(
    r"""\s*(?:#[^\n]*|(?P<mark>[{};])|"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>[^']*)'|(?P<word>[^\s;{}]+))"""
)
BLOCKS = {"events", "geo", "http", "if", "include", "location", "map", "server", "upstream"}


@dataclass(frozen=True)
class Directive:
    """A directive, with the directives in its block, if it has one."""

    name: str
    arguments: tuple[str, ...]
    block: tuple["Directive", ...] | None = None

    def walk(self) -> Iterator["Directive"]:
        """This directive, and all inside it."""
        yield self
        for inner in self.block or ():
            yield from inner.walk()


def parse(path: Path) -> tuple[Directive, ...]:
    """The directives of a file."""
    return parse_text(path.read_text())


def parse_text(text: str) -> tuple[Directive, ...]:
    """The directives of a file's text."""
    return tuple(_directives(match for match in TOKEN.finditer(text) if match.lastgroup))


def _directives(tokens: Iterator[re.Match[str]]) -> Iterator[Directive]:
    words: list[str] = []
    for token in tokens:
        if token["mark"] is None:
            words.append(re.sub(r'\\(["\\])', r"\1", token[token.lastgroup or ""]))
        elif token["mark"] == "}":
            return
        else:
            block = tuple(_directives(tokens)) if token["mark"] == "{" else None
            yield Directive(words[0], tuple(words[1:]), block)
            words = []


def everything() -> Iterator[tuple[Path, Directive]]:
    """Every directive of every file, those in blocks too."""
    for path in FILES:
        for directive in parse(path):
            for inner in directive.walk():
                yield path, inner


def value(name: str, *, file: str) -> str:
    """The first argument of a directive that is in the file once."""
    found = [inner for path, inner in everything() if path == NGINX_CONF / file and inner.name == name]
    assert len(found) == 1, f"{name} in {file}"
    return found[0].arguments[0]


def table(variable: str) -> dict[str, str]:
    """A map, as what it gives for each value."""
    (found,) = (d for _, d in everything() if d.name == "map" and d.arguments[1] == variable)
    return {entry.name: entry.arguments[0] for entry in found.block or ()}


def seconds(text: str) -> int:
    """A time in seconds."""
    return int(text.removesuffix("s"))


def size(text: str) -> int:
    """A size in bytes."""
    return int(text.removesuffix("k")) * 1024


def statuses() -> set[str]:
    """The statuses that nginx answers by itself: those of error_page, and those it turns them into."""
    found = set()
    for _, directive in everything():
        if directive.name == "error_page":
            (*codes, _page) = directive.arguments
            changed = [code[1:] for code in codes if re.fullmatch(r"=\d+", code)]
            found |= set(changed or [code for code in codes if code.isdigit()])
    return found


@pytest.fixture(scope="module")
def gunicorn() -> dict[str, Any]:
    """gunicorn.conf.py, as Gunicorn reads it."""
    return runpy.run_path(str(ROOT / "gunicorn.conf.py"))


def test_nginx_accepts_the_files(tmp_path: Path) -> None:
    """`nginx -t` has neither an error nor a warning for them."""
    command = configure(tmp_path, free_port(), free_port())
    done = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert [
        line for line in done.stderr.splitlines() if not line.endswith(("syntax is ok", "test is successful"))
    ] == []


def test_what_differs_from_place_to_place_is_little() -> None:
    """One directive each, in local/, and no proxy that is believed, until somebody names one."""
    files = {path.name: [(d.name, d.arguments) for d in parse(path)] for path in (NGINX_CONF / "local").iterdir()}
    assert files == {
        "listen.conf": [("listen", ("8080",))],
        "proxies.conf": [],
        "static.conf": [("root", ("/srv/static",))],
        "upstream.conf": [("server", ("web:8000", "max_fails=0"))],
    }


def test_the_body_limit_is_that_of_the_contract() -> None:
    """`x-body-limit`, and the buffer holds such a body."""
    limit = specification()["x-body-limit"]
    assert size(value("client_max_body_size", file="http.d/limits.conf")) == limit
    assert size(value("client_body_buffer_size", file="http.d/limits.conf")) == limit


def test_the_header_limits_are_within_those_of_gunicorn(gunicorn: dict[str, Any]) -> None:
    """What nginx lets through, Gunicorn reads: a line with its CRLF fits."""
    found = [d.arguments for _, d in everything() if d.name == "large_client_header_buffers"]
    assert found == [("4", "8k")]
    assert size("8k") - len("\r\n") <= gunicorn["limit_request_line"]
    assert size("8k") - len("\r\n") <= gunicorn["limit_request_field_size"]


def test_idle_connections_are_closed_by_nginx_before_gunicorn_does(gunicorn: dict[str, Any]) -> None:
    """Else a POST would meet a closed connection."""
    assert seconds(value("keepalive_timeout", file="http.d/upstream.conf")) < gunicorn["keepalive"]


def test_nginx_waits_longer_than_gunicorn(gunicorn: dict[str, Any]) -> None:
    """Gunicorn ends a worker that hangs before nginx gives up."""
    assert seconds(value("proxy_read_timeout", file="server.d/proxy.conf")) > gunicorn["timeout"]


def test_the_request_id_is_that_of_the_contract() -> None:
    """Nginx keeps what the contract's pattern and length admit."""
    schema = resolve(specification()["components"]["headers"]["X-Request-Id"])["schema"]
    bounds = f"{{{schema['minLength']},{schema['maxLength']}}}"
    pattern = schema["pattern"].replace("+$", f"{bounds}$")
    assert table("$correlation_id") == {"default": "$request_id", f"~{pattern}": "$http_x_request_id"}


@pytest.mark.parametrize("path", [*PATHS, "/", "/ui/", "/openapi.json", "/nothing"])
@pytest.mark.parametrize("suffix", ["", "?limit=1"])
def test_the_allowed_methods_are_those_of_the_contract(path: str, suffix: str) -> None:
    """The `Allow` that nginx sends for TRACE, path by path."""
    written = {d.name: d.arguments[0] for d in parse_text(edge.files(specification())["methods.conf"])}
    address = PATHS.get(path, path) + suffix
    found = [allow for pattern, allow in written.items() if re.search(pattern.removeprefix("~"), address)]
    entries = table("$allowed_methods")
    assert entries.keys() == {"default", "include"}
    assert entries["include"] == "contract/methods.conf"
    assert (found or [entries["default"]]) == [ALLOW.get(path, "GET, HEAD, OPTIONS")]


def test_every_error_of_nginx_has_its_words() -> None:
    """A title, which is the one the service uses, and a sentence; and no words are left over."""
    titles, details = table("$problem_title"), table("$problem_detail")
    assert titles.keys() == details.keys() == statuses() | {"default"}
    assert {code: status_title(int(code)) for code in statuses()} == {code: titles[code] for code in statuses()}


@pytest.mark.parametrize("status", sorted(statuses()))
def test_what_nginx_says_is_in_the_contract(status: str) -> None:
    """The document fits the contract's schema, and is the contract's example where there is one."""
    document = json.loads(written(status))
    assert schema_errors({"$ref": "#/components/schemas/Problem"}, document) == []
    examples = specification()["components"]["examples"].values()
    same = [example["value"] for example in examples if isinstance(example["value"], dict)]
    edge = [example for example in same if example.get("status") in {413, 414, 431, 500, 502, 504}]
    assert [document] == [example for example in edge if str(example["status"]) == status] or int(status) not in {
        example["status"] for example in edge
    }


def written(status: str) -> str:
    """The document that nginx writes for this status, with its variables put in."""
    values = {
        "problem_title": table("$problem_title")[status],
        "status": status,
        "problem_detail": table("$problem_detail")[status],
        "problem_members": table("$problem_members").get(status, ""),
        "original_method": "TRACE",
        "allowed_methods": ALLOW["/items"],
        "correlation_id": "0b9b2c5e6f7a4d8e9c1a2b3c4d5e6f70",
    }
    text = table("$problem")["default"]
    while found := re.search(r"\$(\w+)", text):
        text = text.replace(found[0], values[found[1]])
    assert text.endswith("\\n")
    return text.removesuffix("\\n")


def test_a_405_of_nginx_says_what_the_service_says() -> None:
    """The contract's example is TRACE on /items, which nginx answers."""
    example = specification()["components"]["examples"]["MethodNotAllowed"]["value"]
    assert json.loads(written("405")) == example


def test_the_errors_that_pass_say_when_to_come_back() -> None:
    """`Retry-After` within what the contract admits, for what the contract has it for, and 429."""
    retry = table("$problem_retry_after")
    assert retry.pop("default") == ""
    assert retry.keys() == {"429", "502", "503", "504"}
    schema = resolve(specification()["components"]["headers"]["Retry-After"])["schema"]
    assert [schema_errors(schema, int(text)) for text in retry.values()] == [[]] * 4


def test_errors_of_the_service_are_not_touched() -> None:
    """`proxy_intercept_errors` stays off."""
    assert not [path for path, directive in everything() if directive.name == "proxy_intercept_errors"]


def test_the_policy_for_ui_is_that_of_the_service() -> None:
    """Nginx falls back on the very policy that the service sends with its page."""
    assert table("$default_content_security_policy")["~^/ui(/|$)"] == CONTENT_SECURITY_POLICY


def test_headers_are_on_every_answer() -> None:
    """Each add_header says `always`; each block with one of its own has the common ones too."""
    headers = [directive.arguments for _, directive in everything() if directive.name == "add_header"]
    assert [arguments for arguments in headers if arguments[2:] != ("always",)] == []
    blocks = [d.block for _, d in everything() if d.block and any(i.name == "add_header" for i in d.block)]
    includes = [[inner.arguments for inner in block if inner.name == "include"] for block in blocks]
    assert includes == [[("server.d/security-headers.conf",)]] * len(blocks)


def test_no_header_is_sent_twice() -> None:
    """What nginx adds to every answer, it takes from the service's, unless it leaves the choice to the service."""
    added = {d.arguments[0] for p, d in everything() if d.name == "add_header" and p.name == "security-headers.conf"}
    hidden = {d.arguments[0] for _, d in everything() if d.name == "proxy_hide_header"}
    assert added - hidden == {"Content-Security-Policy"}
    assert hidden - added == set()


def test_tls_is_off_until_somebody_has_certificates() -> None:
    """The file is there, and one line includes it."""
    assert (
        "\n    include servers/plain.conf;\n    #include servers/tls.conf;\n" in (NGINX_CONF / "nginx.conf").read_text()
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_directive_is_documented(path: Path) -> None:
    """The file has, in its comments, the address of each directive's documentation."""
    comments = "\n".join(line.strip() for line in path.read_text().splitlines() if line.strip().startswith("#"))
    assert comments
    outer = [d for d in parse(path) if d.name not in ("geo", "map", "types")]
    names = {inner.name for directive in outer for inner in directive.walk()} - BLOCKS
    if path.parent.name == "local":
        names |= {directive.name for directive in parse(path)}
    assert {name for name in names if f"#{name}\n" not in comments + "\n"} == set()


def test_the_compose_file_waits_for_both_to_finish(gunicorn: dict[str, Any]) -> None:
    """The engine gives each service a little longer than it gives itself."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    grace = {name: seconds(service["stop_grace_period"]) for name, service in services.items()}
    assert grace["web"] > gunicorn["graceful_timeout"]
    assert grace["nginx"] > seconds(value("worker_shutdown_timeout", file="nginx.conf"))
