"""What happens around Gunicorn's own start and stop: checks with one clear message, the welcome, one database file."""

import errno
import os
import socket
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from app.access.secret import SecretFileError, read_secret
from app.setting_values import Bind, is_loopback
from app.settings import Settings
from db.copies import DamagedError
from db.engine import Database
from db.errors import DatabaseError
from db.revisions import RevisionError

# Gunicorn's settings that name files, whose faults Gunicorn finds too late for one message.
_READ = ("certfile", "keyfile", "ca_certs", "worker_tmp_dir")
_WRITTEN = ("pidfile", "accesslog", "errorlog")
DATABASE_FAULTS = (DatabaseError, RevisionError, sqlite3.Error, DamagedError, OSError)
"""What can be wrong with a database when the service starts."""


class StartError(Exception):
    """The service cannot start with these settings on this machine. The message says why and what to do."""


def check(cfg: Any, settings: Settings) -> None:
    """Check the files, the port, access, its secret and the database; create both. Raise `StartError`.

    `cfg` is Gunicorn's configuration, because its command line and `GUNICORN_CMD_ARGS` override the settings.
    """
    for name in _READ:
        if (file := getattr(cfg, name)) and not Path(file).exists():
            raise StartError(f"Gunicorn's setting {name} is {file}, which does not exist.")
    for name in _WRITTEN:
        file = getattr(cfg, name)
        if file and file != "-" and not os.access(Path(file).parent, os.W_OK):  # "-" is standard output
            raise StartError(f"Gunicorn's setting {name} is {file}, which cannot be written.")
    inherited = {"GUNICORN_FD", "LISTEN_FDS"} & os.environ.keys()
    for listen in () if inherited or cfg.reuse_port else cfg.address:
        _check_listen(listen)
    check_access(settings.access, cfg.address)
    check_secret(settings)
    create_database(settings.database_url)


def check_access(access: str, listens: Iterable[Any]) -> None:
    """Check that who serves other machines has decided who may send requests. Raise `StartError`."""
    if access:
        return
    for listen in _of_systemd() or listens:
        host = _host(listen)
        if host is not None and not is_loopback(host):
            raise StartError(
                f"Other machines can reach {host}, and ACCESS is not set. ACCESS=secured serves who has an API key or "
                "a token, ACCESS=open serves everyone; see docs/access.md."
            )


def check_secret(settings: Settings) -> None:
    """Check that API keys can be verified: read the secret, or create it. Raise `StartError`."""
    if settings.access != "secured":
        return
    try:
        read_secret(settings.keys_secret_file)
    except SecretFileError as error:
        raise StartError(str(error)) from None


def _of_systemd() -> range:
    """Return the sockets that systemd has opened: Gunicorn uses them in place of its setting (sd_listen_fds(3))."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return range(0)
    return range(3, 3 + int(os.environ.get("LISTEN_FDS", "0")))


def _host(listen: Any) -> str | None:
    """Return the host that Gunicorn will listen on; None for a Unix socket, or for a number that is no open socket."""
    if isinstance(listen, tuple):
        return str(listen[0])
    if isinstance(listen, str):
        return None
    try:
        with socket.socket(fileno=os.dup(listen)) as opened:
            name = opened.getsockname()
    except OSError:
        return None
    return str(name[0]) if isinstance(name, tuple) else None


def _check_listen(listen: Any) -> None:
    """Check what Gunicorn will listen on: a host and a port, the path of a Unix socket, or the number of a socket."""
    if isinstance(listen, tuple):
        check_port(*listen)
    elif isinstance(listen, str):
        if not os.access(Path(listen).parent, os.W_OK):
            raise StartError(f"The socket {listen} cannot be created: its folder cannot be written.")
    else:
        try:
            os.fstat(listen)
        except OSError:
            raise StartError(f"Gunicorn's setting bind is fd://{listen}, which is not an open socket.") from None


def check_port(host: str, port: int) -> None:
    """Check that this process can listen on the port. Gunicorn would try five times and log each."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Gunicorn does
            listener.bind((host, port))
    except socket.gaierror as error:
        raise StartError(f"HOST is {host}, which has no IP address: {error.strerror}.") from None
    except OverflowError:
        raise StartError(f"The port {port} does not exist: the highest is 65535.") from None
    except OSError as error:
        raise StartError(_port_fault(host, port, error)) from None


def _port_fault(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else port - 1
        return f"Port {port} of {host} is in use by another program. Choose another with PORT=…, such as PORT={other}."
    if error.errno == errno.EACCES:
        return f"Port {port} is reserved for the administrator. Choose another with PORT=…, such as PORT=8080."
    if error.errno == errno.EADDRNOTAVAIL:
        return (
            f"HOST is {host}, which is not an IP address of this machine. "
            "HOST=127.0.0.1 serves this machine, HOST=0.0.0.0 every network that it is connected to."
        )
    return f"Port {port} of {host} cannot be used: {error.strerror}. HOST=… and PORT=… choose others."


def check_metrics(bind: Bind) -> None:
    """Check that this process can listen where the metrics are served."""
    from app.metrics.exporter import check as check_bind
    from app.metrics.exporter import shown

    try:
        check_bind(bind)
    except OSError as error:
        raise StartError(f"METRICS is {shown(bind)}, which cannot be used: {error.strerror}.") from None


def create_database(url: URL) -> None:
    """Create or migrate the tables before the first worker starts. Raise `StartError` if the database is unusable."""
    is_sqlite = url.get_backend_name() == "sqlite"
    # A server that does not respond is reported after ten seconds, instead of minutes.
    database = Database(url if is_sqlite else url.update_query_dict({"connect_timeout": "10", **url.query}))
    try:
        database.create()
    except DATABASE_FAULTS as error:
        raise StartError(database_fault(url, error)) from None
    finally:
        database.close()


def database_fault(url: URL, error: Exception) -> str:
    """Return a sentence for a user: why the database cannot be used, and what to do."""
    if isinstance(error, RevisionError):
        return f"The database {shown(url)} {error}"
    if url.get_backend_name() == "sqlite":
        return _file_fault(Path(str(url.database)).absolute(), error)
    return f"The database {shown(url)} cannot be used: {_reason(error)}. See DATABASE_URL."


def _file_fault(file: Path, error: Exception) -> str:
    folder = file.parent
    if file.is_dir():
        reason = "it is a folder"
    elif not folder.is_dir():
        reason = f"its folder cannot be created ({_reason(error)})"
    elif not os.access(folder, os.W_OK):
        reason = f"user {os.geteuid()} cannot write to its folder"
    elif file.exists() and not os.access(file, os.R_OK | os.W_OK):
        reason = f"user {os.geteuid()} cannot write to it"
    else:
        reason = _reason(error)
    return f"The database file {file} cannot be used: {reason}. DATABASE_URL=sqlite:///FILE chooses another file."


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)
    return str(getattr(error, "orig", error)).strip().splitlines()[0].rstrip(".")


def merge_wal(url: URL) -> None:
    """Leave one database file: the last connection to an SQLite database that is closed merges the WAL and removes it.

    A worker that was killed or told to stop at once has not closed its connections.
    """
    if url.get_backend_name() != "sqlite" or not Path(str(url.database)).exists():
        return
    database = Database(url)
    with suppress(SQLAlchemyError), database.read():  # else the next start merges it
        pass
    database.close()


def welcome(listeners: Iterable[Any], database_url: URL) -> str:
    """Return what a person wants to know who has started the service in a terminal."""
    (base, *_) = [_base(listener) for listener in listeners]
    return f"""
  The service is ready.

  API            {base}/
  Documentation  {base}/ui/
  Database       {shown(database_url)}
  To stop        press Ctrl-C

"""


def shown(url: URL) -> str:
    """Return the file of an SQLite database, or the URL of a server without its password."""
    if url.get_backend_name() == "sqlite":
        return str(Path(str(url.database)).absolute())
    return url.set(drivername="postgresql").render_as_string()


def _base(listener: Any) -> str:
    """Return the URL for a browser on this machine. 0.0.0.0 and :: stand for all of its IP addresses."""
    return str(listener).replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
