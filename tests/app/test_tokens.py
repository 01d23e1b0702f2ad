"""Bearer tokens: accepted only as the settings say, whatever the token says of itself (RFC 8725)."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app import create_app
from app.access import token_keys, tokens
from app.access.attempts import Attempts
from app.settings import Settings, SettingsError
from app.shared_counts import SharedCounts
from contract import Principal, RejectedError, Request
from contract.problems import Problem
from tests.support import ContractClient

ISSUER, AUDIENCE = "https://issuer.example", "https://items.example"
RULES = tokens.Rules(ISSUER, AUDIENCE, "RS256")
KEY = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
REQUEST = Request({"client": ("192.0.2.1", 1)}, None, {}, ())  # type: ignore[arg-type]  # no body is read


def jwk(key: Any, kid: str = "one", **more: Any) -> dict[str, Any]:
    """The public key as a JWK."""
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, **more}


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a token that is accepted, with changes; None removes one."""
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "iat": now,
        "exp": now + 300,
        "scope": "items:read items:write",
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def token(key: Any = KEY, algorithm: str = "RS256", kid: str | None = "one", **changes: Any) -> str:
    """A signed token."""
    return jwt.encode(claims(**changes), key, algorithm, headers={} if kid is None else {"kid": kid})


@pytest.fixture
def key_set(tmp_path: Path) -> Path:
    """The file with the issuer's keys."""
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [jwk(KEY)]}))
    return file


@pytest.fixture
def verifier(key_set: Path) -> tokens.Tokens:
    """The verifier for this key set."""
    return tokens.Tokens(token_keys.KeySet(str(key_set), "RS256"), RULES, Attempts(SharedCounts()))


async def _verify(verifier: tokens.Tokens, credential: str) -> Principal:
    return await verifier.verify(credential, REQUEST)


def verify(verifier: tokens.Tokens, credential: str) -> Principal:
    """The principal of a token."""
    return asyncio.run(_verify(verifier, credential))


def refused(verifier: tokens.Tokens, credential: str) -> str:
    """Why a token is rejected."""
    with pytest.raises(RejectedError) as caught:
        verify(verifier, credential)
    return str(caught.value)


def test_a_valid_token_has_a_principal(verifier: tokens.Tokens) -> None:
    """Its subject and its scopes, as text or as a list."""
    both = frozenset({"items:read", "items:write"})
    assert verify(verifier, token()) == Principal("token:alice", both)
    assert verify(verifier, token(aud=["other", AUDIENCE])) == Principal("token:alice", both)
    assert verify(verifier, token(scope=None, scp=["items:read"])).scopes == {"items:read"}
    assert verify(verifier, token(scope=None)).scopes == frozenset()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://other.example"}, "The token is not valid."),
        ({"iss": None}, "The token is not valid."),
        ({"aud": "https://other.example"}, "The token is not valid."),
        ({"aud": None}, "The token is not valid."),
        ({"exp": None}, "The token is not valid."),
        ({"exp": 1}, "The token has expired."),
        ({"nbf": 4_000_000_000}, "The token is not valid."),
        ({"sub": None}, "The token is not valid."),
        ({"sub": ""}, "The token has a subject that this service does not accept."),
        ({"sub": "x" * 151}, "The token has a subject that this service does not accept."),
        ({"sub": "a\0b"}, "The token has a subject that this service does not accept."),
        ({"scope": {"a": 1}}, "The token has a scope that is not text."),
    ],
)
def test_claims_are_checked(verifier: tokens.Tokens, changes: dict[str, Any], reason: str) -> None:
    """Issuer, audience, expiry and subject are required."""
    assert refused(verifier, token(**changes)) == reason


def unsigned(header: dict[str, Any]) -> str:
    """A token without a signature."""
    parts = (json.dumps(part).encode() for part in (header, claims()))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", None])
def test_a_token_without_a_signature_is_refused(verifier: tokens.Tokens, name: Any) -> None:
    """`none` in every spelling (RFC 8725 §2.1)."""
    assert refused(verifier, unsigned({"alg": name, "kid": "one", "typ": "JWT"})).startswith("The token")


def test_the_public_key_is_no_secret(verifier: tokens.Tokens) -> None:
    """Key confusion: a token signed with HS256 and the text of the public key (RFC 8725 §2.1)."""
    for encoding, form in ((Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), (Encoding.DER, PublicFormat.PKCS1)):
        public = KEY.public_key().public_bytes(encoding, form)
        head = unsigned({"alg": "HS256", "kid": "one"})[:-1]
        mac = hmac.digest(public, head.encode(), hashlib.sha256)
        forged = f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
        assert refused(verifier, forged) == "The token must be signed with RS256."


def test_another_algorithm_is_refused(verifier: tokens.Tokens) -> None:
    """Also with the right key."""
    assert refused(verifier, token(algorithm="RS512")) == "The token must be signed with RS256."
    assert refused(verifier, token(algorithm="PS256")) == "The token must be signed with RS256."


def test_an_unknown_key_is_refused(verifier: tokens.Tokens) -> None:
    """By its id, and by its signature if it takes the id of a known one."""
    unknown = "The token is signed with a key that its issuer does not publish."
    assert refused(verifier, token(OTHER, kid="two")) == unknown
    assert refused(verifier, token(kid=None)) == unknown
    assert refused(verifier, token(OTHER, kid="one")) == "The token is not valid."


@pytest.mark.parametrize(
    "header", [{"jwk": jwk(OTHER)}, {"jku": "http://127.0.0.1:9/"}, {"x5u": "http://127.0.0.1:9/"}]
)
def test_a_token_cannot_bring_its_key(verifier: tokens.Tokens, header: dict[str, Any]) -> None:
    """Keys and URLs in a token are ignored."""
    forged = jwt.encode(claims(), OTHER, "RS256", headers={"kid": "one", **header})
    assert refused(verifier, forged) == "The token is not valid."


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "....", "é.é.é"])
def test_what_is_no_token_is_refused(verifier: tokens.Tokens, text: str) -> None:
    """Whatever it is."""
    assert refused(verifier, text) == "The token is not valid."


def test_a_changed_signature_is_refused(verifier: tokens.Tokens) -> None:
    """A part of it, or more than it."""
    for changed in (token()[:-4], f"{token()}AAAA", f"{token()}."):
        assert refused(verifier, changed) == "The token is not valid."


def test_critical_headers_are_refused(verifier: tokens.Tokens) -> None:
    """An extension that is not understood must not be ignored (RFC 7515 §4.1.11)."""
    forged = jwt.encode(claims(), KEY, "RS256", headers={"kid": "one", "crit": ["exp2"], "exp2": 1})
    assert refused(verifier, forged) == "The token is not valid."


def test_a_verified_token_is_remembered_until_it_expires(
    verifier: tokens.Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without another signature to verify, and no longer."""
    credential = token(exp=int(time.time()) + 60)
    assert verify(verifier, credential).id == "token:alice"
    monkeypatch.setattr(jwt, "decode", None)
    assert verify(verifier, credential).id == "token:alice"
    monkeypatch.undo()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    monkeypatch.setattr(jwt, "decode", _expired)
    assert refused(verifier, credential) == "The token has expired."


def _expired(*_arguments: Any, **_options: Any) -> None:
    raise jwt.ExpiredSignatureError


def test_what_is_remembered_is_bounded(verifier: tokens.Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token that was verified first is verified again."""
    monkeypatch.setattr(tokens, "_MOST_REMEMBERED", 2)
    for number in range(5):
        verify(verifier, token(sub=f"client{number}"))
    assert len(verifier._known) == 2


def test_failures_are_counted_before_signatures_are_verified(
    verifier: tokens.Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that has failed too often costs nothing more."""
    for number in range(20):
        refused(verifier, f"a.b.{number}")
    monkeypatch.setattr(jwt, "get_unverified_header", None)
    with pytest.raises(Problem) as caught:
        verify(verifier, token())
    assert caught.value.status == 429


def test_a_new_key_of_the_issuer_is_found(
    verifier: tokens.Tokens, key_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key set is read again for an unknown key, twice a minute at most; a key that is gone is refused in time."""
    now = [1000.0]
    monkeypatch.setattr(token_keys, "time", type("Clock", (), {"monotonic": staticmethod(lambda: now[0])}))
    verify(verifier, token())
    key_set.write_text(json.dumps({"keys": [jwk(OTHER, "two")]}))
    assert "does not publish" in refused(verifier, token(OTHER, kid="two"))
    now[0] += 31
    assert verify(verifier, token(OTHER, kid="two")).id == "token:alice"
    assert "does not publish" in refused(verifier, token(sub="bob"))


def test_only_keys_for_the_algorithm_are_used() -> None:
    """A secret in a key set, a key for encryption, of another type or algorithm, or a damaged one, is left out."""
    curve = ec.generate_private_key(ec.SECP256R1())
    entries = [
        jwk(KEY, "a"),
        jwk(KEY, "b", alg="RS512"),
        jwk(KEY, "c", use="enc"),
        jwk(curve, "d"),
        {"kty": "oct", "k": "AAAA", "kid": "e"},
        {**jwk(KEY), "kid": 7},
        {"kty": "RSA", "kid": "f"},
        {"kty": "RSA", "kid": "g", "n": 7, "e": "AQAB"},
        {"kty": "EC", "kid": "h", "crv": "P-999", "x": "AA", "y": "AA"},
        "i",
    ]
    content = json.dumps({"keys": entries}).encode()
    assert set(token_keys.usable_keys(content, "RS256")) == {"a"}
    assert set(token_keys.usable_keys(content, "ES256")) == {"d"}


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"keys": 1}', b'{"keys": [{"kty": "RSA", "kid": "a"}]}', b"\xff", b'{"keys":' + b"[" * 10**5],
    ids=lambda content: str(content[:20]),
)
def test_without_keys_it_is_503(verifier: tokens.Tokens, key_set: Path, content: bytes) -> None:
    """The client has done nothing wrong."""
    key_set.write_bytes(content)
    with pytest.raises(Problem) as caught:
        verify(verifier, token())
    assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "30"})


@pytest.fixture
def issuer() -> Iterator[tuple[str, Callable[[bytes], None]]]:
    """The URL of an issuer's key set on this machine, and what sets its content."""
    content = [b""]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content[0])

        def log_message(self, *_arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/jwks.json", lambda new: content.__setitem__(0, new)
        server.shutdown()


def test_the_key_set_can_be_at_a_url(issuer: tuple[str, Callable[[bytes], None]]) -> None:
    """One that is too large is not used."""
    url, publish = issuer
    publish(json.dumps({"keys": [jwk(KEY)]}).encode())
    attempts = Attempts(SharedCounts())
    assert verify(tokens.Tokens(token_keys.KeySet(url, "RS256"), RULES, attempts), token()).id == "token:alice"
    publish(b" " * (1024 * 1024) + json.dumps({"keys": [jwk(KEY)]}).encode())
    with pytest.raises(Problem):
        verify(tokens.Tokens(token_keys.KeySet(url, "RS256"), RULES, attempts), token())


REFUSED = "must be a file, or a URL with https://"


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (b"no HTTP", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz", "IncompleteRead"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[", "Invalid IPv6 URL"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://issuer.example/jwks.json", REFUSED),
        (b"HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/jwks.json", REFUSED),
    ],
)
def test_a_url_that_has_no_key_set_is_503(response: bytes, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever its server sends; a redirect is not followed to where anyone could change the keys."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(response + b"\r\n\r\n")

        thread = Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/jwks.json"
        with pytest.raises(Problem) as caught:
            verify(tokens.Tokens(token_keys.KeySet(url, "RS256"), RULES, Attempts(SharedCounts())), token())
        thread.join()
    assert caught.value.status == 503
    assert f"The key set {url} cannot be read: {reason}" in caplog.text


def secured(tmp_path: Path, **more: str) -> Settings:
    """Settings with access control and an issuer."""
    return Settings.from_environ(
        {
            "ACCESS": "secured",
            "DATABASE_URL": f"sqlite:///{tmp_path}/items.db",
            "KEYS_SECRET_FILE": f"{tmp_path}/keys.secret",
            "JWT_ISSUER": ISSUER,
            "JWT_AUDIENCE": AUDIENCE,
            **more,
        }
    )


def test_a_request_with_a_token_is_served(tmp_path: Path, key_set: Path) -> None:
    """And one without the scope is not."""
    with ContractClient(create_app(secured(tmp_path, JWT_JWKS=str(key_set)))) as client:
        can_read = {"Authorization": f"Bearer {token(scope='items:read')}"}
        assert client.get("/items", headers=can_read).status_code == 200
        response = client.post("/items", json={"name": "Lamp"}, headers=can_read)
        assert (response.status_code, response.json()["detail"]) == (
            403, "The credential does not have the scope items:write."
        )  # fmt: skip
        wrong = client.get("/items", headers={"Authorization": f"Bearer {token(OTHER)}"})
        assert wrong.headers["WWW-Authenticate"].endswith('Bearer realm="Items", error="invalid_token"')


def test_a_shared_secret_can_be_used(tmp_path: Path) -> None:
    """Then only HS256 is accepted."""
    file = tmp_path / "shared"
    file.write_text("s" * 32 + "\n")
    with ContractClient(create_app(secured(tmp_path, JWT_SECRET_FILE=str(file)))) as client:
        good, wrong, other = token("s" * 32, "HS256"), token("t" * 32, "HS256"), token(KEY)
        found = [
            client.get("/items", headers={"Authorization": f"Bearer {each}"}).status_code
            for each in (good, wrong, other)
        ]
        assert found == [200, 401, 401]


def test_without_an_issuer_no_token_is_accepted(tmp_path: Path) -> None:
    """The response says so."""
    settings = replace(secured(tmp_path, JWT_JWKS="x"), jwt_jwks="")
    with ContractClient(create_app(settings)) as client:
        response = client.get("/items", headers={"Authorization": f"Bearer {token()}"})
        assert (response.status_code, response.json()["detail"]) == (
            401, "This service accepts API keys only; it trusts no issuer of tokens."
        )  # fmt: skip


@pytest.mark.parametrize(
    ("environ", "fault"),
    [
        ({"JWT_JWKS": "x", "JWT_ISSUER": ""}, "JWT_ISSUER is required to accept tokens"),
        ({"JWT_JWKS": "x", "JWT_AUDIENCE": ""}, "JWT_AUDIENCE is required to accept tokens"),
        ({"JWT_JWKS": "x", "ACCESS": ""}, "ACCESS=secured is required to accept tokens"),
        ({"JWT_SECRET_FILE": "x", "ACCESS": "open"}, "ACCESS=secured is required to accept tokens"),
        ({"JWT_JWKS": "http://issuer.example/keys"}, "JWT_JWKS must be a file, or a URL with https://"),
        ({"JWT_JWKS": "ftp://issuer.example/keys"}, "JWT_JWKS must be a file, or a URL with https://"),
        ({"JWT_JWKS": "x", "JWT_SECRET_FILE": "y"}, "JWT_JWKS and JWT_SECRET_FILE exclude each other"),
        ({"JWT_JWKS": "x", "JWT_ALGORITHM": "HS256"}, "JWT_ALGORITHM is HS256, which is not for that kind of key"),
        (
            {"JWT_SECRET_FILE": "x", "JWT_ALGORITHM": "RS256"},
            "JWT_ALGORITHM is RS256, which is not for that kind of key",
        ),
        ({"JWT_JWKS": "x", "JWT_ALGORITHM": "none"}, "JWT_ALGORITHM must be one of: RS256"),
        ({}, "JWT_ISSUER needs JWT_JWKS or JWT_SECRET_FILE"),
    ],
)
def test_settings_that_do_not_fit_stop_the_start(tmp_path: Path, environ: dict[str, str], fault: str) -> None:
    """A token without an issuer or an audience could be for anyone."""
    with pytest.raises(SettingsError) as caught:
        secured(tmp_path, **environ)
    assert fault in str(caught.value)


@pytest.mark.parametrize(("content", "fault"), [(None, "cannot be read"), (b"short", "has 5 bytes; the least are 32")])
def test_a_secret_that_cannot_be_used_stops_the_start(tmp_path: Path, content: bytes | None, fault: str) -> None:
    """A short one can be guessed from a token."""
    file = tmp_path / "shared"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=fault):
        create_app(secured(tmp_path, JWT_SECRET_FILE=str(file)))
