"""Every page with commands is followed by a test, as a reader follows it."""

import pytest

from app.settings import ROOT
from tests.docs.markdown import DOCUMENTS, fenced, read

FOLLOWED = {
    "README.md": "tests/docs/test_examples.py",
    "ARCHITECTURE.md": "tests/e2e/test_server.py",
    "CONTRIBUTING.md": ".ci/run",
    "docs/access.md": "tests/docs/test_access.py",
    "docs/backup.md": "tests/docs/test_backup.py",
    "docs/compose.md": "tests/e2e/stack.py",
    "docs/conformance.md": "tests/e2e/test_conformance.py",
    "docs/contract.md": "tests/e2e/test_extending.py",
    "docs/curl.md": "tests/docs/test_examples.py",
    "docs/database.md": "tests/docs/test_database.py",
    "docs/extending.md": "tests/extending.py",
    "docs/logs.md": "tests/e2e/test_compose.py",
    "docs/postgresql.md": "tests/e2e/test_postgresql.py",
    "docs/postman.md": "tests/e2e/test_postman.py",
    "docs/prefix.md": "tests/e2e/test_prefix.py",
    "docs/sdk.md": "tests/e2e/test_sdk.py",
    "docs/settings.md": "tests/docs/test_examples.py",
}
"""Each document that has a block of commands or configuration, and the file that runs it."""
ALL = "DOCUMENTS"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_page_with_commands_is_followed(name: str) -> None:
    """The test reads the page, or all documents."""
    commands = [language for language, _ in fenced(read(name)) if language]
    assert (name in FOLLOWED) == bool(commands)
    if commands and name.startswith("docs/"):
        test = (ROOT / FOLLOWED[name]).read_text(encoding="utf-8")
        assert name in test or ALL in test
