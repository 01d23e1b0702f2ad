"""nginx serves the files of `/ui/` and `/problems/` itself, exactly like the service, also while that is stopped."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import problem_pages, static
from app.pages import CONTENT_SECURITY_POLICY, UI_NAMES, ui_content
from tests.e2e.stack import Response, Running, ask, edge, free_port

GZIP = {"Accept-Encoding": "gzip"}
PATHS = ["/ui/", *(f"/ui/{name}" for name in UI_NAMES), *(f"/problems/{name}" for name in problem_pages.names())]
SAME = ("Content-Type", "Content-Security-Policy", "Cache-Control")
NO_FILES = [
    ("GET", "/ui"),
    ("GET", "/ui/nothing.js"),
    ("GET", "/ui/swagger-ui.css.gz"),
    ("GET", "/ui/swagger-ui.css/"),
    ("GET", "/ui/%2e%2e/nginx/nginx.conf"),
    ("GET", "/ui/..%2fnginx/nginx.conf"),
    ("GET", "/ui/SWAGGER-UI.css"),
    ("GET", "/uix"),
    ("GET", "/problems/"),
    ("GET", "/problems/nothing"),
    ("GET", "/problems/not-found.html"),
    ("GET", "/problems/not-found/"),
    ("POST", "/problems/not-found"),
    ("POST", "/ui/"),
    ("PUT", "/ui/swagger-ui.css"),
    ("DELETE", "/ui/index.html"),
    ("OPTIONS", "/ui/"),
    ("OPTIONS", "/ui/swagger-ui.css"),
]


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, app: Running) -> Iterator[Running]:
    """Nginx with the files, in front of the service."""
    folder = tmp_path_factory.mktemp("edge")
    static.write(folder / "static")
    with edge(folder, app.port) as running:
        yield running


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Nginx with the files, without a service."""
    folder = tmp_path_factory.mktemp("lonely")
    static.write(folder / "static")
    with edge(folder, free_port()) as running:
        yield running


def ports(*programs: Running) -> list[int]:
    """The ports of the service and of nginx."""
    return [program.port for program in programs]


def of_the_service(response: Response) -> dict[str, str]:
    """Return the headers that must be the same from the service and from nginx."""
    return {name: response[name] for name in SAME}


@pytest.mark.parametrize("path", [*PATHS, "/ui/?deep=link"])
def test_a_file_is_the_same_as_the_services(app: Running, nginx: Running, path: str) -> None:
    """Body, media type, policy and caching are the same, and the service receives no request."""
    sent = {"X-Request-Id": f"static:{path.replace('?', ':')}"}
    theirs, ours = (ask(port, "GET", path, headers=sent) for port in ports(app, nginx))
    assert (ours.status, ours.body) == (theirs.status, theirs.body) == (200, theirs.body)
    assert of_the_service(ours) == of_the_service(theirs)
    assert ours["Content-Length"] == str(len(ours.body))
    assert [nginx.line(ours["X-Request-Id"])[key] for key in ("upstream", "status")] == ["", 200]


@pytest.mark.parametrize("path", PATHS)
def test_a_file_is_served_without_the_service(lonely: Running, path: str) -> None:
    """The response has the headers of every response, each once."""
    response = ask(lonely.port, "GET", path)
    expected = {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cache-Control": "max-age=3600" if path.startswith("/ui/swagger-ui") else "no-cache",
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Server": "nginx",
    }
    assert response.status == 200
    assert {name: response[name] for name in expected} == expected
    assert re.fullmatch("[0-9a-f]{32}", response["X-Request-Id"])


@pytest.mark.parametrize("path", PATHS)
def test_a_file_is_precompressed(lonely: Running, path: str) -> None:
    """The response has a length, its own strong ETag, and `Vary` for caches."""
    plain, packed = ask(lonely.port, "GET", path), ask(lonely.port, "GET", path, headers=GZIP)
    assert (plain.all("Content-Encoding"), packed["Content-Encoding"]) == ([], "gzip")
    assert packed["Content-Length"] == str(len(packed.body))
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body)
    assert of_the_service(packed) == of_the_service(plain)
    assert (plain["Vary"], packed["Vary"]) == ("Accept-Encoding", "Accept-Encoding")
    assert all(re.fullmatch(r'"[!#-~]+"', response["ETag"]) for response in (plain, packed))
    assert plain["ETag"] != packed["ETag"]


@pytest.mark.parametrize("headers", [{}, GZIP], ids=["plain", "gzip"])
@pytest.mark.parametrize("path", PATHS)
def test_an_unchanged_file_is_304(lonely: Running, path: str, headers: dict[str, str]) -> None:
    """A matching ETag is a 304, and any other ETag gets the whole file."""
    whole = ask(lonely.port, "GET", path, headers=headers)
    same = ask(lonely.port, "GET", path, headers={**headers, "If-None-Match": whole["ETag"]})
    assert (same.status, same.body, same["ETag"]) == (304, b"", whole["ETag"])
    assert [same[name] for name in SAME[1:]] == [whole[name] for name in SAME[1:]]
    other = ask(lonely.port, "GET", path, headers={**headers, "If-None-Match": '"other"'})
    assert (other.status, other.body) == (200, whole.body)


@pytest.mark.parametrize("headers", [{}, GZIP], ids=["plain", "gzip"])
@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_the_body(lonely: Running, path: str, headers: dict[str, str]) -> None:
    """The headers are the same, but for the two that depend on the second of the response."""
    get, head = (ask(lonely.port, method, path, headers={**headers, "X-Request-Id": "x"}) for method in ("GET", "HEAD"))
    assert (head.status, head.body) == (200, b"")
    of_get, of_head = ([pair for pair in it.headers if pair[0] not in ("Date", "Expires")] for it in (get, head))
    assert of_head == of_get


@pytest.mark.parametrize("asked", ["bytes=0-9", "bytes=9999999-"])
def test_a_file_has_no_byte_ranges(lonely: Running, asked: str) -> None:
    """A range request gets the whole file (RFC 9110 §14.2)."""
    response = ask(lonely.port, "GET", "/ui/items.css", headers={"Range": asked})
    assert (response.status, response.body) == (200, ui_content("items.css"))


@pytest.mark.parametrize(("method", "path"), NO_FILES)
def test_everything_else_goes_to_the_service(app: Running, nginx: Running, method: str, path: str) -> None:
    """These are other names and other methods."""
    theirs, ours = (ask(port, method, path, headers={"X-Request-Id": "x"}) for port in ports(app, nginx))
    assert (ours.status, ours.body, ours.all("Allow")) == (theirs.status, theirs.body, theirs.all("Allow"))
    assert ours.status in (200, 308, 404, 405)
    assert b"gzip" not in ours.body


def test_the_folder_has_exactly_the_files_of_the_pages(tmp_path: Path) -> None:
    """Existing files are overwritten."""
    for _ in range(2):
        static.write(tmp_path)
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    expected = {f"ui/{name}" for name in UI_NAMES} | {f"problems/{name}.html" for name in problem_pages.names()}
    assert {name for name in files if not name.endswith(".gz")} == expected
    assert {name.removesuffix(".gz") for name in files} == expected
