"""Values of the settings for access: how they are read, and what is wrong with them."""

import ipaddress
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

TOKEN_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"),
    *("HS256", "HS384", "HS512"),
)


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
