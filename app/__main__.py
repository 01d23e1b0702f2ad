"""`python -m app` serves the application with Gunicorn, or ends with one clear message if that cannot work.

Gunicorn alone (`gunicorn app:app`) serves the same, with its own messages: it reads `WEB_CONCURRENCY` before it reads
any file of this project, and tries a port that is in use for five seconds.
"""

import sys

from app.logs import log_prints
from app.settings import Settings, SettingsError


def main() -> None:
    """Check the settings, then serve until a signal ends it."""
    log_prints()
    try:
        Settings.from_environ()
    except SettingsError as error:
        sys.exit(f"The service cannot start. {error}")
    from app.server import Server  # importing Gunicorn reads the same variables

    sys.argv[:1] = ["-m", "app"]  # Gunicorn runs this command again when it is told to replace itself (SIGUSR2)
    Server("%(prog)s [OPTIONS]", prog="python -m app").run()


if __name__ == "__main__":
    main()
