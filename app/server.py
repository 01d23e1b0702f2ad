"""Gunicorn with the application of this project, whose invalid settings end the start with one message.

Importing Gunicorn reads environment variables: `app.__main__` checks them before it imports this module.
"""

import sys
from typing import Any, NoReturn

from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.errors import ConfigError

from app.logs import configure
from app.settings import Settings
from app.start import StartError, check


class Server(WSGIApplication):  # type: ignore[misc]  # Gunicorn has no types
    """Gunicorn as `python -m app` runs it (https://gunicorn.org/custom/)."""

    def init(self, parser: Any, _options: Any, _arguments: Any) -> None:
        """Name the application, and check `GUNICORN_CMD_ARGS`: Gunicorn's own messages do not name the option."""
        self.app_uri = "app:app"
        parser.error = _refuse
        for name, value in vars(parser.parse_args(self.cfg.get_cmd_args_from_env())).items():
            if name != "args" and value is not None:
                try:
                    self.cfg.set(name, value)
                except (ValueError, TypeError, ConfigError) as error:
                    _refuse(f"{name}: {error}")

    def do_load_config(self) -> None:
        """Load the configuration, and the classes that it names."""
        try:
            self.load_default_config()
            self.load_config()
            self.cfg.validate()
            _ = self.cfg.address, self.cfg.worker_class, self.cfg.logger_class
        except Exception as error:  # noqa: BLE001 -- Gunicorn raises all kinds, and reports them in the same way
            reason = str(error).strip().splitlines()[0].rstrip(": .")
            sys.exit(f"The service cannot start. Gunicorn's settings are invalid: {reason}")

    def run(self) -> None:
        """Check what the settings name on this machine, then serve."""
        try:
            settings = Settings.from_environ()
            configure(settings.log_level, settings.log_format)
            check(self.cfg, settings)
        except StartError as error:
            sys.exit(f"The service cannot start. {error}")
        super().run()


def _refuse(message: str) -> NoReturn:
    """Report a fault of the command line in the way of all settings, in place of `argparse`'s."""
    raise ConfigError(f"GUNICORN_CMD_ARGS: {message}")
