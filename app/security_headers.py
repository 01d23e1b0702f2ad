"""The security headers of every response, as constant bytes. nginx replaces them with its own, which are the same.

`nginx/server.d/security-headers.conf` says what each is for. Strict-Transport-Security is nginx's alone, because only
the program that has the certificate knows that it will keep it.
"""

from contract.responses.response import WireHeaders

POLICY = "default-src 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of responses that have none: data may not load or run anything."""
HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": POLICY,
}
_POLICY = "Content-Security-Policy"
_ALL = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items()).encode()
_WITHOUT_POLICY = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items() if name != _POLICY).encode()


def lines(headers: WireHeaders) -> bytes:
    """Return the lines for a response with these headers. If it has a policy of its own, it gets no second one.

    Browsers would enforce both.
    """
    for name, _ in headers:
        if name == b"content-security-policy":
            return _WITHOUT_POLICY
    return _ALL
