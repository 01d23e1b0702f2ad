"""Tells Schemathesis how to generate values of the contract's own formats."""

import schemathesis
from hypothesis import strategies as st

# For a format that it does not know, Schemathesis generates only letters and digits in headers, whatever the pattern.
_ENTITY_TAG = st.from_regex(r'\A(W/)?"[!#-~\x80-\xff]{0,20}"\Z')
_SEPARATOR = st.sampled_from([", ", ",", "\t,\t", ", ,"])
_LIST = st.builds(str.join, _SEPARATOR, st.lists(_ENTITY_TAG, min_size=1, max_size=3))
schemathesis.openapi.format("entity-tags", st.just("*") | _LIST)
