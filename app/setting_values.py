"""Values of the settings: how they are read, and what is wrong with them."""

import ipaddress
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

TOKEN_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"),
    *("HS256", "HS384", "HS512"),
)
Bind = str | tuple[str, int]
"""The path of a Unix socket, or an IP address and a port."""


def database_url(text: str) -> URL:
    """Accept the URL of an SQLite file or of PostgreSQL."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("must be a database URL, such as sqlite:////data/items.db") from None
    if url.drivername in ("sqlite", "sqlite+pysqlite") and url.database not in (None, "", ":memory:"):
        if url.query:
            raise ValueError("must be sqlite:///FILE without parameters")
        return url
    if url.get_backend_name() == "postgresql":
        return _with_psycopg(url)
    raise ValueError("must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")


def _with_psycopg(url: URL) -> URL:
    url = url.set(drivername="postgresql+psycopg")
    try:
        url.get_dialect().import_dbapi()
    except ImportError as error:  # there is no wheel for this machine, or no libpq
        reason = str(error).splitlines()[0]
        raise ValueError(f"needs psycopg, which this Python cannot import ({reason})") from None
    return url


def host(text: str) -> str:
    """Accept an IP address or a host name. Whether it belongs to this machine is known only when it is used."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        # Digits and dots alone are an IP address with a mistake in it.
        if not re.fullmatch(r"(?![\d.]+$)[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})", text):
            raise ValueError("must be an IP address or a host name, without http:// and without the port") from None
    return text


def proxies(text: str) -> str:
    """Accept IP addresses and networks, or `*`."""
    networks = [network.strip() for network in text.split(",")]
    try:
        for network in networks:
            if network != "*":
                ipaddress.ip_network(network)
    except ValueError:
        raise ValueError("must be a list of IP addresses or networks, separated by commas, or *") from None
    return ",".join(networks)


def host_names(text: str) -> tuple[str, ...]:
    """Accept host names, and domains that begin with a dot."""
    names = tuple(name.strip().lower() for name in text.split(",")) if text else ()
    for name in names:
        if not re.fullmatch(r"\.?[a-z0-9_]([a-z0-9_.-]{0,252})", name):
            raise ValueError("must be a list of host names, separated by commas, such as example.com,.example.org")
    return names


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Return a parser of whole numbers between two limits."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def shared_file(text: str) -> Path | None:
    """Accept a file in a folder that can be written, or nothing."""
    if text and not os.access(Path(text).parent, os.W_OK):
        raise ValueError("must be a file in a folder that exists, and that the service can write to")
    return Path(text) if text else None


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser of some words."""

    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(f"must be one of: {', '.join(choices)}")
        return text.lower()

    return parse


def switch(text: str) -> bool:
    """Accept `on` and `off`."""
    return one_of("on", "off")(text) == "on"


def url(text: str) -> str:
    """Accept a URL with http:// or https://, or nothing."""
    if text and not re.fullmatch(r"https?://[^/\s]+(/\S*)?", text):
        raise ValueError("must be a URL that begins with http:// or https://")
    return text


def bind(text: str) -> Bind | None:
    """Accept an IP address and a port, the path of a Unix socket, or nothing."""
    if text.startswith("/"):
        return text
    host, _, port = text.rpartition(":")
    try:
        ip = str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))
        return ip, whole_number(1, 65535)(port)
    except ValueError:
        if not text:
            return None
        raise ValueError("must be an IP address and a port, such as 127.0.0.1:9000, or the path of a socket") from None


def optional(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a parser that accepts an empty text as well."""
    return lambda text: parse(text) if text else ""


def algorithm(text: str) -> str:
    """Accept the name of an algorithm of signatures, or nothing."""
    if text and text not in TOKEN_ALGORITHMS:
        raise ValueError(f"must be one of: {', '.join(TOKEN_ALGORITHMS)}")
    return text


def key_set(text: str) -> str:
    """Accept a file, or a URL that nobody between can change the response of."""
    if "://" not in text:
        return text
    url = urlsplit(text)
    if not url.hostname or (url.scheme != "https" and (url.scheme != "http" or not is_loopback(url.hostname))):
        raise ValueError("must be a file, or a URL with https://")
    return text


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def origins(text: str) -> tuple[str, ...]:
    """Accept a list of origins. None stands for several: `*` would allow every page."""
    found = tuple(origin.strip().lower() for origin in text.split(",")) if text else ()
    for origin in found:
        if not re.fullmatch(r"https?://([a-z0-9_.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?", origin):
            raise ValueError("must be a list of origins, separated by commas, such as https://app.example.com")
    return found
