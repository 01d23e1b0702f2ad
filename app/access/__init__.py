"""Who may send requests, with `ACCESS=secured`: API keys and bearer tokens (docs/access.md)."""

from functools import partial
from pathlib import Path

from app.access.attempts import Attempts
from app.access.keys import ApiKeys
from app.access.secret import read_secret
from app.access.token_keys import KeySet, KeySetError, SharedSecret
from app.access.tokens import NoTokens, Rules, Tokens
from app.settings import Settings, SettingsError
from app.shared_counts import SharedCounts
from contract import Verifier
from db.engine import Database


class Access:
    """The verifiers by security scheme, none with `ACCESS=open`. `background` is what must run beside the service."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.is_secured = settings.access == "secured"
        self.verifiers: dict[str, Verifier] = {}
        self.background = []
        if self.is_secured:
            attempts = Attempts(SharedCounts(settings.rate_limit_file))  # before the workers are forked
            keys = ApiKeys(database, partial(read_secret, settings.keys_secret_file), attempts)
            self.verifiers = {"ApiKey": keys, "BearerToken": _tokens(settings, attempts)}
            self.background = [keys.note_uses]


def _tokens(settings: Settings, attempts: Attempts) -> Verifier:
    if not settings.accepts_tokens:
        return NoTokens()
    algorithm = settings.token_algorithm
    try:
        keys = (
            SharedSecret(Path(settings.jwt_secret_file), algorithm)
            if settings.jwt_secret_file
            else KeySet(settings.jwt_jwks, algorithm)
        )
    except KeySetError as error:
        raise SettingsError(str(error)) from None
    return Tokens(keys, Rules(settings.jwt_issuer, settings.jwt_audience, algorithm), attempts)
