"""URLs of the service itself, for handlers that put them into `Location` and `Link`."""

from connexion.context import scope


def root_path() -> str:
    """Return the path that the service is mounted at, empty for the root. URLs that clients get begin with it."""
    return str(scope.get("root_path", ""))
