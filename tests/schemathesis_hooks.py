"""What Schemathesis cannot know by itself: how to make values of the contract's own formats."""

import schemathesis
from hypothesis import strategies as st

# Without a format that it knows, Schemathesis narrows header values to letters and digits, whatever their pattern.
_ENTITY_TAG = st.from_regex(r'\A(W/)?"[!#-~]{0,20}"\Z')
schemathesis.openapi.format("entity-tags", st.just("*") | st.lists(_ENTITY_TAG, min_size=1, max_size=3).map(", ".join))
