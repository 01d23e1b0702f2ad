"""The keys that tokens are verified with: a shared secret, or a key set (JWKS, RFC 7517) in a file or at a URL."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol
from urllib.request import HTTPRedirectHandler, build_opener
from urllib.request import Request as UrlRequest

from app.setting_values import key_set
from contract.problems import Problem

logger = logging.getLogger(__name__)
_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
"""The type of a key (RFC 7518 §6.1, RFC 8037 §2) by the beginning of the algorithm's name."""
_SECONDS_BETWEEN_READS = 30.0
"""A token with an unknown key makes a worker read the key set again, at most this often."""
_MAX_AGE = 600.0
"""Seconds after which the key set is read again in any case: a key that the issuer has withdrawn is refused then."""
_TIMEOUT = 5.0
_MAX_BYTES = 1024 * 1024


class UnknownKeyError(Exception):
    """No key has this id."""


class KeySetError(Exception):
    """The key set, or the secret, cannot be read. The message says why."""


class TokenKeys(Protocol):
    """Finds the key of a token."""

    async def find(self, kid: object) -> Any:
        """Return the key with this id. Raise `UnknownKeyError`, or `Problem` 503 if the keys cannot be read."""


class SharedSecret:
    """One secret for all tokens, whatever id of a key they name."""

    def __init__(self, file: Path, algorithm: str) -> None:
        self._secret = _read_secret(file, least=int(algorithm.removeprefix("HS")) // 8)  # RFC 7518 §3.2

    async def find(self, _kid: object) -> bytes:
        """Return the secret."""
        return self._secret


class KeySet:
    """The public keys of an issuer that are for one algorithm. Read when the first token comes."""

    def __init__(self, location: str, algorithm: str) -> None:
        self._read: Callable[[], bytes] = _reader(location)
        self._location = location
        self._algorithm = algorithm
        self._keys: dict[str, Any] = {}
        self._tried = self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, kid: object) -> Any:
        """Return the key with this id. Raise `UnknownKeyError`, or `Problem` 503."""
        if not isinstance(kid, str) or kid not in self._keys or time.monotonic() - self._read_at > _MAX_AGE:
            async with self._lock:
                await self._renew()
        if not self._keys:
            raise Problem(503, "Tokens cannot be verified at the moment.", headers={"Retry-After": "30"})
        if not isinstance(kid, str) or kid not in self._keys:
            raise UnknownKeyError
        return self._keys[kid]

    async def _renew(self) -> None:
        """Read the key set, unless that was tried a moment ago. If it fails, go on with the keys that are known."""
        if time.monotonic() - self._tried < _SECONDS_BETWEEN_READS:
            return
        self._tried = time.monotonic()
        try:
            content = await asyncio.to_thread(self._read)
            self._keys = usable_keys(content, self._algorithm)
            self._read_at = time.monotonic()
        except (OSError, HTTPException, ValueError, KeySetError) as error:  # whatever a server may send
            logger.warning("The key set %s cannot be read: %s", self._location, error)


def usable_keys(content: bytes, algorithm: str) -> dict[str, Any]:
    """Return the keys of a key set that are for signatures with the algorithm, by id. Raise `KeySetError`.

    A key never decides on the algorithm: one of another type is left out, secrets (`oct`) among them. So is one that
    cannot be used (RFC 7517 §5), which leaves the others as they are.
    """
    try:
        suitable = [entry for entry in json.loads(content)["keys"] if _is_for(algorithm, entry)]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise KeySetError(f"it is not a key set (JWKS): {error!r}") from None
    keys = {entry["kid"]: _key(entry, algorithm) for entry in suitable}
    return {kid: key for kid, key in keys.items() if key is not None}


def _is_for(algorithm: str, entry: Any) -> bool:
    """Return whether a key is for signatures with the algorithm."""
    return (
        isinstance(entry, dict)
        and entry.get("kty") == _KEY_TYPES[algorithm[:2]]
        and entry.get("alg", algorithm) == algorithm
        and entry.get("use", "sig") == "sig"
        and isinstance(entry.get("kid"), str)
    )


def _key(entry: dict[str, Any], algorithm: str) -> Any:
    import jwt  # with its cryptography, it takes 50 ms to import

    try:
        return jwt.PyJWK(entry, algorithm)
    except (ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
        logger.warning("The key %r of the key set cannot be used: %r", entry["kid"], error)
        return None


def _read_secret(file: Path, least: int) -> bytes:
    """Return the shared secret, which has so many bytes at least. Raise `KeySetError`."""
    try:
        secret = file.read_bytes().strip()
    except OSError as error:
        raise KeySetError(f"JWT_SECRET_FILE is {file}, which cannot be read: {error.strerror}.") from None
    if len(secret) < least:
        raise KeySetError(f"JWT_SECRET_FILE is {file}, which has {len(secret)} bytes; the least are {least}.")
    return secret


def _reader(location: str) -> Callable[[], bytes]:
    if not location.startswith(("https://", "http://")):
        return Path(location).read_bytes
    return lambda: _fetch(location)


class _Redirects(HTTPRedirectHandler):
    """Follows redirects only to URLs that the setting allows."""

    def redirect_request(self, *arguments: Any) -> UrlRequest | None:
        """Return the request for the last argument. Raise `ValueError` if anyone could change the response."""
        key_set(arguments[-1])
        return super().redirect_request(*arguments)


def _fetch(url: str) -> bytes:
    request = UrlRequest(url, headers={"Accept": "application/json"})  # noqa: S310 -- the setting allows http and https only
    with build_opener(_Redirects).open(request, timeout=_TIMEOUT) as response:
        content: bytes = response.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise KeySetError(f"it has more than {_MAX_BYTES} bytes")
    return content
