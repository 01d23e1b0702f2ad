"""Swagger UI's files, served by nginx itself: the same as the service's, and there while the service is not."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import static
from app.pages import CONTENT_SECURITY_POLICY, UI_FILES
from tests.e2e.stack import Answer, Running, ask, edge, free_port

GZIP = {"Accept-Encoding": "gzip"}
PATHS = ["/ui/", *(f"/ui/{name}" for name in UI_FILES)]
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
    ("POST", "/ui/"),
    ("PUT", "/ui/swagger-ui.css"),
    ("DELETE", "/ui/index.html"),
    ("OPTIONS", "/ui/"),
    ("OPTIONS", "/ui/swagger-ui.css"),
]


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, app: Running) -> Iterator[Running]:
    """Nginx in front of it, with the files."""
    folder = tmp_path_factory.mktemp("edge")
    static.write(folder / "static")
    with edge(folder, app.port) as running:
        yield running


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Nginx in front of nothing, with the files."""
    folder = tmp_path_factory.mktemp("lonely")
    static.write(folder / "static")
    with edge(folder, free_port()) as running:
        yield running


def ports(*programs: Running) -> list[int]:
    """Their ports."""
    return [program.port for program in programs]


def of_the_service(answer: Answer) -> dict[str, str]:
    """The headers in which the service and nginx have to agree."""
    return {name: answer[name] for name in SAME}


@pytest.mark.parametrize("path", [*PATHS, "/ui/?deep=link"])
def test_a_file_is_what_the_service_serves(app: Running, nginx: Running, path: str) -> None:
    """Body, media type, policy and how long it is kept; and the service was not asked."""
    sent = {"X-Request-Id": f"static:{path.replace('?', ':')}"}
    theirs, ours = (ask(port, "GET", path, headers=sent) for port in ports(app, nginx))
    assert (ours.status, ours.body) == (theirs.status, theirs.body) == (200, theirs.body)
    assert of_the_service(ours) == of_the_service(theirs)
    assert ours["Content-Length"] == str(len(ours.body))
    assert [nginx.line(ours["X-Request-Id"])[key] for key in ("upstream", "status")] == ["", 200]


@pytest.mark.parametrize("path", PATHS)
def test_a_file_is_there_without_the_service(lonely: Running, path: str) -> None:
    """With all the headers that every answer has, each once."""
    answer = ask(lonely.port, "GET", path)
    expected = {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cache-Control": "no-cache" if path in ("/ui/", "/ui/index.html") else "max-age=3600",
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Server": "nginx",
    }
    assert answer.status == 200
    assert {name: answer[name] for name in expected} == expected
    assert re.fullmatch("[0-9a-f]{32}", answer["X-Request-Id"])


@pytest.mark.parametrize("path", PATHS)
def test_a_file_was_compressed_beforehand(lonely: Running, path: str) -> None:
    """With a length, a strong ETag of its own, and word of it for caches."""
    plain, packed = ask(lonely.port, "GET", path), ask(lonely.port, "GET", path, headers=GZIP)
    assert (plain.all("Content-Encoding"), packed["Content-Encoding"]) == ([], "gzip")
    assert packed["Content-Length"] == str(len(packed.body))
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body)
    assert of_the_service(packed) == of_the_service(plain)
    assert (plain["Vary"], packed["Vary"]) == ("Accept-Encoding", "Accept-Encoding")
    assert all(re.fullmatch(r'"[!#-~]+"', answer["ETag"]) for answer in (plain, packed))
    assert plain["ETag"] != packed["ETag"]


@pytest.mark.parametrize("headers", [{}, GZIP], ids=["plain", "gzip"])
@pytest.mark.parametrize("path", PATHS)
def test_an_unchanged_file_is_304(lonely: Running, path: str, headers: dict[str, str]) -> None:
    """By its ETag; another one is answered with the whole file."""
    whole = ask(lonely.port, "GET", path, headers=headers)
    same = ask(lonely.port, "GET", path, headers={**headers, "If-None-Match": whole["ETag"]})
    assert (same.status, same.body, same["ETag"]) == (304, b"", whole["ETag"])
    assert [same[name] for name in SAME[1:]] == [whole[name] for name in SAME[1:]]
    other = ask(lonely.port, "GET", path, headers={**headers, "If-None-Match": '"other"'})
    assert (other.status, other.body) == (200, whole.body)


@pytest.mark.parametrize("headers", [{}, GZIP], ids=["plain", "gzip"])
@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_the_body(lonely: Running, path: str, headers: dict[str, str]) -> None:
    """Headers and all."""
    get, head = (ask(lonely.port, method, path, headers={**headers, "X-Request-Id": "x"}) for method in ("GET", "HEAD"))
    assert (head.status, head.body) == (200, b"")
    assert [pair for pair in head.headers if pair[0] != "Date"] == [pair for pair in get.headers if pair[0] != "Date"]


@pytest.mark.parametrize("asked", ["bytes=0-9", "bytes=9999999-"])
def test_a_file_has_no_pieces(lonely: Running, asked: str) -> None:
    """A range is answered with the whole (RFC 9110 §14.2)."""
    answer = ask(lonely.port, "GET", "/ui/items.css", headers={"Range": asked})
    assert (answer.status, answer.body) == (200, Path(UI_FILES["items.css"], "items.css").read_bytes())


@pytest.mark.parametrize(("method", "path"), NO_FILES)
def test_all_else_is_the_services_to_answer(app: Running, nginx: Running, method: str, path: str) -> None:
    """What is no file of the page, and what is done to one."""
    theirs, ours = (ask(port, method, path, headers={"X-Request-Id": "x"}) for port in ports(app, nginx))
    assert (ours.status, ours.body, ours.all("Allow")) == (theirs.status, theirs.body, theirs.all("Allow"))
    assert ours.status in (200, 308, 404, 405)
    assert b"gzip" not in ours.body


def test_the_files_are_all_and_no_more(tmp_path: Path) -> None:
    """Written anew over what is there."""
    for _ in range(2):
        static.write(tmp_path)
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {name for name in files if not name.endswith(".gz")} == {f"ui/{name}" for name in UI_FILES}
    assert {name.removesuffix(".gz") for name in files} == {f"ui/{name}" for name in UI_FILES}
