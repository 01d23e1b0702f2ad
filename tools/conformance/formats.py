"""The formats of this contract that Schemathesis does not know. `schemathesis.toml` names this file."""

import schemathesis
from hypothesis import strategies as st


def entity_tags() -> st.SearchStrategy[str]:
    """Values of `format: entity-tags`. For a format that it does not know, Schemathesis ignores a header's pattern."""
    tag = st.from_regex(r'\A(W/)?"[!#-~\x80-\xff]{0,20}"\Z')
    separator = st.sampled_from([", ", ",", "\t,\t", ", ,"])
    return st.just("*") | st.builds(str.join, separator, st.lists(tag, min_size=1, max_size=3))


schemathesis.openapi.format("entity-tags", entity_tags())
