"""No document makes the contract diff raise, and none differs from itself."""

from copy import deepcopy
from functools import reduce
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import specification
from tests.tools.contracts import BASE, diff

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
BOUNDED = settings(max_examples=150, derandomize=True, deadline=None, database=None, suppress_health_check=SLOW)
WORDS = """$ref openapi info paths /things/{id} get post parameters name in schema required content application/json
requestBody responses 200 4XX default headers X-Any callbacks components schemas Thing securitySchemes security
oauth flows implicit scopes servers url tags operationId deprecated x-body-limit type nullable properties items
additionalProperties allOf oneOf anyOf not discriminator mapping propertyName enum const pattern format minLength
maximum exclusiveMaximum multipleOf uniqueItems readOnly encoding style explode allowEmptyValue links
x-rate-limit seconds requests"""
KEYS = st.sampled_from(WORDS.split())
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats()
    | KEYS
    | st.text(max_size=4)
    | st.sampled_from(
        ["string", "object", "array", "integer", "number", "query", "^a*(b", "^[a-", "(?=x)", "#/", "#/components",
         "#/components/schemas/Thing", "#/paths", "#/components/schemas/None", "other.yaml#/Thing", "http://a.b/c"]
    )
)  # fmt: skip
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=25
)
ITEMS = st.builds(lambda _: deepcopy(specification()), st.none())
THINGS = st.builds(lambda _: deepcopy(BASE), st.none())


def _shaped(node: Any) -> Any:
    """A document that has an operation, in which the values are any."""
    return {"paths": {"/things": {"get": node, "post": {"requestBody": node, "responses": {"200": node}}}},
            "components": {"schemas": {"Thing": node}}}  # fmt: skip


def _places(node: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [place] * bool(place) + [found for key, value in inner for found in _places(value, (*place, key))]


@st.composite
def mutated(draw: st.DrawFn, documents: st.SearchStrategy[Any]) -> Any:
    """A contract with up to four parts that are gone, any value, or another part of it."""
    document = draw(documents)
    for _ in range(draw(st.integers(1, 4))):
        places = _places(document)
        *way, last = draw(st.sampled_from(places))
        node = reduce(lambda found, step: found[step], way, document)
        if draw(st.booleans()):
            del node[last]
        elif draw(st.booleans()):
            node[last] = draw(JSON)
        else:
            other = draw(st.sampled_from(places))
            node[last] = deepcopy(reduce(_step, other, document))
    return document


def _step(node: Any, key: Any) -> Any:
    """One step, where there still is one."""
    try:
        return node[key]
    except (LookupError, TypeError):
        return None


def _examine(old: Any, new: Any) -> None:
    diff(old, new)
    diff(new, old)
    assert diff(new, deepcopy(new)) == []


@given(JSON, JSON)
@BOUNDED
def test_any_documents_can_be_compared(old: Any, new: Any) -> None:
    """Whatever is in them."""
    _examine(old, new)


@given(JSON, JSON)
@BOUNDED
def test_any_operations_and_schemas_can_be_compared(old: Any, new: Any) -> None:
    """Whatever is in them."""
    _examine(_shaped(old), _shaped(new))


@given(JSON, JSON)
@BOUNDED
def test_any_schemas_can_be_compared(old: Any, new: Any) -> None:
    """In a body and in a response."""
    contents = [{"content": {"application/json": {"schema": node}}} for node in (old, new)]
    _examine(*({"paths": {"/": {"get": {"requestBody": c, "responses": {"200": c}}}}} for c in contents))


@given(mutated(ITEMS))
@settings(BOUNDED, max_examples=40)  # each is a large document, compared three times
def test_this_contract_can_be_compared_with_broken_ones(new: Any) -> None:
    """With parts missing, of another type or in another place."""
    _examine(specification(), new)


@given(mutated(THINGS), mutated(THINGS))
@BOUNDED
def test_broken_contracts_can_be_compared(old: Any, new: Any) -> None:
    """With each other."""
    _examine(old, new)
