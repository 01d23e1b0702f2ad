"""The nginx configuration agrees with the contract, the service, Gunicorn and its own rules."""

import json
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from app import edge, limits, prefix
from app.pages import CONTENT_SECURITY_POLICY
from app.problem_pages import problem_types
from app.security_headers import HEADERS, POLICY
from app.specification import load
from contract.problems import status_title
from tests.docs import markdown
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
    """A directive, with the directives of its block, if it has one."""

    name: str
    arguments: tuple[str, ...]
    block: tuple["Directive", ...] | None = None

    def walk(self) -> Iterator["Directive"]:
        """Yield this directive and all directives inside it."""
        yield self
        for inner in self.block or ():
            yield from inner.walk()


def parse(path: Path) -> tuple[Directive, ...]:
    """Parse the directives of a file."""
    return parse_text(path.read_text())


def parse_text(text: str) -> tuple[Directive, ...]:
    """Parse the directives of a text."""
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
    """Return every directive of every file, including those in blocks."""
    for path in FILES:
        for directive in parse(path):
            for inner in directive.walk():
                yield path, inner


def value(name: str, *, file: str) -> str:
    """Return the first argument of a directive that occurs once in the file."""
    found = [inner for path, inner in everything() if path == NGINX_CONF / file and inner.name == name]
    assert len(found) == 1, f"{name} in {file}"
    return found[0].arguments[0]


def table(variable: str) -> dict[str, str]:
    """Return a map as a dictionary, without its parameters."""
    (found,) = (d for _, d in everything() if d.name == "map" and d.arguments[1] == variable)
    return {entry.name: entry.arguments[0] for entry in found.block or () if entry.arguments}


def seconds(text: str) -> int:
    """Convert a time to seconds."""
    return int(text.removesuffix("s"))


def size(text: str) -> int:
    """Convert a size to bytes."""
    return int(text.removesuffix("k")) * 1024


def statuses() -> set[str]:
    """Return the statuses of nginx's own errors: those in error_page, and those it changes them to."""
    found = set()
    for _, directive in everything():
        if directive.name == "error_page" and not directive.arguments[-1].startswith("@"):
            (*codes, _page) = directive.arguments
            changed = [code[1:] for code in codes if re.fullmatch(r"=\d+", code)]
            found |= set(changed or [code for code in codes if code.isdigit()])
    return found


@pytest.fixture(scope="module")
def gunicorn() -> dict[str, Any]:
    """Load gunicorn.conf.py as Gunicorn does."""
    return runpy.run_path(str(ROOT / "gunicorn.conf.py"))


def test_nginx_accepts_the_files(tmp_path: Path) -> None:
    """`nginx -t` reports neither errors nor warnings."""
    command = configure(tmp_path, free_port(), free_port())
    done = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert [
        line for line in done.stderr.splitlines() if not line.endswith(("syntax is ok", "test is successful"))
    ] == []


def test_the_deployment_settings_are_few() -> None:
    """Each file in local/ has one kind of directive, and no proxy is trusted by default."""
    files = {path.name: [(d.name, d.arguments) for d in parse(path)] for path in (NGINX_CONF / "local").iterdir()}
    assert files == {
        "cache.conf": [("include", ("/tmp/cache.conf",))],  # noqa: S108  # a mount point in the container
        "certificate.conf": [("map", ("", "$certificate_file"))],
        "listen.conf": [("listen", ("8080",))],
        "listen-tls.conf": [("listen", ("8443", "ssl", "http2"))],
        "modules.conf": [
            ("load_module", ("/usr/lib/nginx/modules/ndk_http_module.so",)),
            ("load_module", ("/usr/lib/nginx/modules/ngx_http_lua_module.so",)),
        ],
        "proxies.conf": [],
        "servers.conf": [("include", ("/tmp/servers.conf",))],  # noqa: S108  # a mount point in the container
        "static.conf": [("root", ("/srv/static",))],
        "upstream.conf": [("include", ("/tmp/upstream.conf",))],  # noqa: S108  # a mount point in the container
    }


def test_the_body_limit_is_the_contracts() -> None:
    """The limit is `x-body-limit`, and the buffer has room for such a body."""
    limit = specification()["x-body-limit"]
    assert size(value("client_max_body_size", file="http.d/limits.conf")) == limit
    assert size(value("client_body_buffer_size", file="http.d/limits.conf")) == limit


def test_the_header_limits_are_within_those_of_gunicorn(gunicorn: dict[str, Any]) -> None:
    """Gunicorn accepts every line that nginx forwards, including its CRLF."""
    found = [d.arguments for _, d in everything() if d.name == "large_client_header_buffers"]
    assert found == [("4", "8k")]
    assert size("8k") - len("\r\n") <= gunicorn["limit_request_line"]
    assert size("8k") - len("\r\n") <= gunicorn["limit_request_field_size"]


def test_nginx_closes_idle_connections_before_gunicorn(gunicorn: dict[str, Any]) -> None:
    """Otherwise a POST could fail on a closed connection."""
    assert seconds(value("keepalive_timeout", file="http.d/upstream.conf")) < gunicorn["keepalive"]


def test_nginx_waits_longer_than_gunicorn(gunicorn: dict[str, Any]) -> None:
    """Gunicorn kills a worker that hangs before nginx gives up."""
    assert seconds(value("proxy_read_timeout", file="server.d/proxy.conf")) > gunicorn["timeout"]


def test_a_body_has_as_much_time_as_without_nginx() -> None:
    """The bound for a whole body is that of the service."""
    assert limits._SECONDS[limits.BODY] == 60
    assert "ngx.sleep(60)" in value("access_by_lua", file="http.d/body-time.conf")


def test_the_request_id_pattern_is_the_contracts() -> None:
    """Nginx keeps a request id that matches the contract's pattern and length."""
    schema = resolve(specification()["components"]["headers"]["X-Request-Id"])["schema"]
    bounds = f"{{{schema['minLength']},{schema['maxLength']}}}"
    pattern = schema["pattern"].replace("+$", f"{bounds}$")
    assert table("$correlation_id") == {"default": "$request_id", f"~{pattern}": "$http_x_request_id"}


@pytest.mark.parametrize("path", [*PATHS, "/", "/ui/", "/openapi.json", "/nothing"])
@pytest.mark.parametrize("suffix", ["", "?limit=1"])
def test_the_allowed_methods_are_those_of_the_contract(path: str, suffix: str) -> None:
    """`Allow` in nginx's responses to TRACE has the methods of each path."""
    generated = {d.name: d.arguments[0] for d in parse_text(edge.files(specification())["methods.conf"])}
    url = PATHS.get(path, path) + suffix
    found = [allow for pattern, allow in generated.items() if re.search(pattern.removeprefix("~"), url)]
    entries = table("$allowed_methods")
    assert entries.keys() == {"default", "include"}
    assert entries["include"] == "contract/methods.conf"
    assert (found or [entries["default"]]) == [ALLOW.get(path, "GET, HEAD, OPTIONS")]


def test_every_error_of_nginx_has_a_title_and_a_detail() -> None:
    """The title is the same as the service's, and there are no unused texts."""
    titles, details = table("$problem_title"), table("$problem_detail")
    assert titles.keys() == details.keys() == statuses() | {"default"}
    assert {code: status_title(int(code)) for code in statuses()} == {code: titles[code] for code in statuses()}


def test_every_error_of_nginx_has_a_page() -> None:
    """Its type is the same as the service's."""
    types = table("$problem_type")
    assert types.pop("default") == "about:blank"
    assert types == {code: f"$problem_prefix{problem_types()[int(code)]}" for code in statuses()}


def test_the_prefix_in_a_type_follows_the_same_rule_as_the_services() -> None:
    """Only a valid prefix gets into the JSON."""
    (rule,) = table("$problem_prefix").keys() - {"default"}
    own = prefix._PREFIX.pattern.decode().replace("\\Z", "$").replace("(?:", "(")
    assert rule == f"~^(?=.{{1,{prefix.MAX_LENGTH}}}$){own}$"


@pytest.mark.parametrize("status", sorted(statuses()))
def test_nginx_problems_are_in_the_contract(status: str) -> None:
    """A problem document is valid for the contract's schema, and equals the contract's example if there is one."""
    document = json.loads(written(status))
    assert schema_errors({"$ref": "#/components/schemas/Problem"}, document) == []
    examples = specification()["components"]["examples"].values()
    same = [example["value"] for example in examples if isinstance(example["value"], dict)]
    edge = [example for example in same if example.get("status") in {413, 414, 431, 500, 502, 504}]
    assert [document] == [example for example in edge if str(example["status"]) == status] or int(status) not in {
        example["status"] for example in edge
    }


def written(status: str) -> str:
    """Return the document that nginx writes for this status, with its variables replaced."""
    values = {
        "problem_type": table("$problem_type")[status],
        "problem_prefix": "",
        "problem_title": table("$problem_title")[status],
        "status": status,
        "problem_detail": table("$problem_detail")[status],
        "problem_extension": table("$problem_extension").get(status, ""),
        "original_method": "TRACE",
        "allowed_methods": ALLOW["/items"],
        "correlation_id": "0b9b2c5e6f7a4d8e9c1a2b3c4d5e6f70",
    }
    text = table("$problem")["default"]
    while found := re.search(r"\$(\w+)", text):
        text = text.replace(found[0], values[found[1]])
    assert text.endswith("\\n")
    return text.removesuffix("\\n")


def test_a_405_of_nginx_is_the_same_as_the_services() -> None:
    """The contract's example is TRACE on /items, which nginx rejects."""
    example = specification()["components"]["examples"]["MethodNotAllowed"]["value"]
    assert json.loads(written("405")) == example


def test_temporary_errors_have_retry_after() -> None:
    """`Retry-After` is valid for the contract, and is sent for the statuses that document it, and for 429."""
    retry = table("$problem_retry_after")
    assert retry.pop("default") == ""
    assert retry.keys() == {"429", "502", "503", "504"}
    schema = resolve(specification()["components"]["headers"]["Retry-After"])["schema"]
    assert [schema_errors(schema, int(text)) for text in retry.values()] == [[]] * 4


def test_errors_of_the_service_are_unchanged() -> None:
    """`proxy_intercept_errors` stays off."""
    assert not [path for path, directive in everything() if directive.name == "proxy_intercept_errors"]


def test_the_policy_for_ui_is_the_services() -> None:
    """Nginx's default policy for /ui/ and /problems/ equals the one that the service sends."""
    assert table("$default_content_security_policy")["~^/(ui|problems)(/|$)"] == CONTENT_SECURITY_POLICY


def test_every_response_has_the_headers() -> None:
    """Each add_header has `always`, and each block with its own add_header includes the common headers."""
    headers = [directive.arguments for _, directive in everything() if directive.name == "add_header"]
    assert [arguments for arguments in headers if arguments[2:] != ("always",)] == []
    blocks = [d.block for _, d in everything() if d.block and any(i.name == "add_header" for i in d.block)]
    includes = [[inner.arguments[0] for inner in block if inner.name == "include"] for block in blocks]
    assert [names for names in includes if "server.d/security-headers.conf" not in names] == []


def test_every_response_of_nginx_says_that_it_must_not_be_stored() -> None:
    """Some of the statuses could be cached otherwise, such as 308, 404, 405 and 414."""
    blocks = [d.block for _, d in everything() if d.block and d.name != "if"]
    returning = [block for block in blocks if any(inner.name == "return" for inner in block)]
    caching = [[i.arguments for i in block if i.arguments[:1] == ("Cache-Control",)] for block in returning]
    refusal, *others = sorted(caching)  # auth_request discards the response of /.refused
    assert (refusal, others) == ([], [[("Cache-Control", "no-store", "always")]] * 3)


def test_one_client_has_a_small_share_of_the_connections() -> None:
    """A sixteenth, counted twice because of the connection to the service."""
    (share,) = (int(d.arguments[1]) for _, d in everything() if d.name == "limit_conn")
    connections = int(value("worker_connections", file="nginx.conf"))
    assert 2 * share <= connections // 8
    assert int(value("worker_rlimit_nofile", file="nginx.conf")) > 2 * connections


def test_no_header_is_sent_twice() -> None:
    """Nginx hides the service's version of each header that it adds, unless it lets the service choose the value."""
    added = {d.arguments[0] for p, d in everything() if d.name == "add_header" and p.name == "security-headers.conf"}
    hidden = {d.arguments[0] for _, d in everything() if d.name == "proxy_hide_header"}
    assert added - hidden == {"Content-Security-Policy"}
    assert hidden - added == set()


def test_a_repeated_request_stays_within_nginx_limit_of_redirects() -> None:
    """Nginx allows ten internal redirects: /ui/ needs one, each wait two, and the problem one."""
    waits = [page for attempt, page in table("$after_failure").items() if attempt.startswith("1 ")]
    locations = [d.arguments[0] for _, d in everything() if d.name == "location"]
    assert waits == [name for name in locations if name.startswith("@wait")]
    assert 1 + 2 * len(waits) + 1 <= 10


def test_the_script_writes_what_the_configuration_includes() -> None:
    """The paths in local/ are those of containers/tls.sh, with its default prefix."""
    script = (ROOT / "containers" / "tls.sh").read_text()
    assert "PAIR=$PREFIX/certificate.pem " in script
    assert "SERVERS=$PREFIX/servers.conf " in script
    assert table("$certificate_file") == {"default": "/tmp/certificate.pem"}  # noqa: S108  # in the container


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_directive_is_documented(path: Path) -> None:
    """The comments of the file have the documentation URL of each directive."""
    comments = "\n".join(line.strip() for line in path.read_text().splitlines() if line.strip().startswith("#"))
    assert comments
    outer = [d for d in parse(path) if d.name not in ("geo", "map", "types")]
    names = {inner.name for directive in outer for inner in directive.walk()} - BLOCKS
    if path.parent.name == "local":
        names |= {directive.name for directive in parse(path)}
    assert {name for name in names if f"#{name}\n" not in comments + "\n"} == set()


def test_the_compose_file_waits_for_both_to_finish(gunicorn: dict[str, Any]) -> None:
    """Docker gives each container a little longer to stop than its program takes."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    grace = {name: seconds(services[name]["stop_grace_period"]) for name in ("web", "nginx")}
    assert grace["web"] > gunicorn["graceful_timeout"]
    assert grace["nginx"] > seconds(value("worker_shutdown_timeout", file="nginx.conf"))


def test_the_service_has_the_same_security_headers() -> None:
    """With the same values, so that a response is the same with nginx and without; docs/http.md lists them."""
    added = {
        inner.arguments[0]: inner.arguments[1]
        for path, inner in everything()
        if path.name == "security-headers.conf" and inner.name == "add_header"
    }
    own = {
        "X-Request-Id",
        "RateLimit",
        "Strict-Transport-Security",
        "Content-Security-Policy",
    }  # their values are variables
    assert added.keys() - {"X-Request-Id", "RateLimit", "Strict-Transport-Security"} == HEADERS.keys()
    assert {name: added[name] for name in added.keys() - own} == {name: HEADERS[name] for name in HEADERS.keys() - own}
    assert POLICY in (NGINX_CONF / "http.d" / "response-headers.conf").read_text()
    hidden = {inner.arguments[0] for _, inner in everything() if inner.name == "proxy_hide_header"}
    assert HEADERS.keys() - hidden == {"Content-Security-Policy"}  # nginx sends its own only if there is none
    rows = markdown.table(markdown.read("docs/http.md"), "Security headers")
    assert {markdown.spans(name)[0]: markdown.spans(value)[0] for name, value in rows} == HEADERS


def test_the_cache_of_reads_knows_every_credential() -> None:
    """A response to a request with a credential must not be kept for a request with another one."""
    schemes = load(secured=True)["components"]["securitySchemes"].values()
    headers = {scheme.get("name", "Authorization").lower().replace("-", "_") for scheme in schemes}
    (cached,) = (d for _, d in everything() if d.name == "map" and d.arguments[1] == "$read_cache")
    assert {f"http_{header}" for header in headers} <= set(re.findall(r"\w+", cached.arguments[0]))


@pytest.mark.parametrize("servers", ["plain", "tls"])
def test_gixy_finds_nothing(tmp_path: Path, servers: str) -> None:
    """With the cache of reads, too."""
    edits = [
        (
            "local/servers.conf",
            "include servers/plain",
            f'map "" $https_port {{ default ""; }}\ninclude servers/{servers}',
        ),
        ("local/cache.conf", "", "proxy_cache_valid 200 5s;\ninclude cache/reads.conf;\n"),
    ]
    # Nothing listens here. Not a free port: gixy takes one with 443 in it, such as 44367, for a port of TLS.
    configure(tmp_path, 8080, 8081, edits)
    # Not checked: the speed of try_files, which needs a cache of open files on slow disks.
    gixy = Path(sys.executable).with_name("gixy")
    command = [
        str(gixy),
        "--format",
        "json",
        "--skips",
        "try_files_is_evil_too",
        str(tmp_path / "nginx" / "nginx.conf"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, [], "")
