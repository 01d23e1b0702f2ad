"""Where the service is mounted: handlers ask here, so that they need not read the ASGI scope."""

from connexion.context import scope


def root_path() -> str:
    """The prefix of every path of the service (ASGI's `root_path`); empty when there is none."""
    return str(scope.get("root_path", ""))
