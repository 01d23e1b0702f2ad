"""What Schemathesis does not know of this contract. `schemathesis.toml` names this file."""

import re
from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st


def entity_tags() -> st.SearchStrategy[str]:
    """Values of `format: entity-tags`. For a format that it does not know, Schemathesis ignores a header's pattern."""
    tag = st.from_regex(r'\A(W/)?"[!#-~\x80-\xff]{0,20}"\Z')
    separator = st.sampled_from([", ", ",", "\t,\t", ", ,"])
    return st.just("*") | st.builds(str.join, separator, st.lists(tag, min_size=1, max_size=3))


schemathesis.openapi.format("entity-tags", entity_tags())


@schemathesis.hook
def before_call(_context: Any, case: Any, **_options: Any) -> None:
    """Send no request twice, and none that changes nothing. Schemathesis expects every request to take effect.

    A valid `Idempotency-Key` becomes a new one, and `dry-run` another preference.
    """
    headers = case.headers or {}
    for name, value in list(headers.items()):
        if name.lower() == "idempotency-key" and re.fullmatch("[!-~]{1,255}", str(value)):
            headers[name] = uuid4().hex
        if name.lower() == "prefer":
            headers[name] = re.sub("dry-run", "return=minimal", str(value), flags=re.IGNORECASE)
