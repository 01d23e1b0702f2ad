"""The secret of the keyed hashes: a file, not a row, because who has a copy of the database must not make keys."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

_BYTES = 32


class SecretFileError(Exception):
    """The file cannot be read or written, or has something else in it. The message says so."""


def read_secret(file: Path) -> bytes:
    """Return the secret. The first process that asks creates the file, which only its user can read."""
    try:
        if not file.exists():
            _create(file)
        secret = file.read_bytes()
    except OSError as error:
        raise SecretFileError(
            f"The file {file} cannot be used: {error.strerror}. KEYS_SECRET_FILE chooses it."
        ) from None
    if len(secret) != _BYTES:
        raise SecretFileError(f"The file {file} has {len(secret)} bytes, but the secret has {_BYTES}.")
    return secret


def _create(file: Path) -> None:
    """Write the file under another name first: it is there as a whole or not at all, and the first one stays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secrets.token_bytes(_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink()
