"""Deprecated operations: the headers of their responses, and which dates stop the start."""

import pytest

from contract import ContractError, load
from tests.contract.conftest import Serve, document

CONTRACT = """
paths:
  /x/{id}:
    get:
      tags: [things]
      operationId: get_x
      deprecated: true
      x-deprecated-since: "2026-11-01"
      x-deprecation-url: /ui/changes.html
      x-sunset: "2027-06-30T12:00:00+02:00"
      x-sunset-url: https://example.com/sunset
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: X., content: {application/json: {}}, headers: {Link: {schema: {type: string}}}}}
  /y:
    get: {tags: [things], operationId: get_y, deprecated: true,
          responses: {"200": {description: Y., content: {application/json: {}}}}}
"""
SOURCE = """
def get_x(id):
    if id == 0:
        raise LookupError("nothing")
    return {"id": id}, 200, {"Link": '</x/2>; rel="next"'}
def get_y(): return {}
"""


@pytest.mark.parametrize("pipeline", ["", "      x-pipeline: connexion\n"])
def test_every_response_has_the_dates(serve: Serve, pipeline: str) -> None:
    """Also errors, and also where plain Connexion serves the operation (RFC 9745 §2, RFC 8594 §3)."""
    client = serve(CONTRACT.replace("operationId: get_x\n", f"operationId: get_x\n{pipeline}"), SOURCE)
    for path, status in (("/x/1", 200), ("/x/one", 404 if pipeline else 400), ("/x/0", 500)):
        response = client.get(path)
        assert response.status_code == status
        assert response.headers["Deprecation"] == "@1793491200"
        assert response.headers["Sunset"] == "Wed, 30 Jun 2027 10:00:00 GMT"
        links = response.headers.get_list("Link")
        assert links[-2:] == ['</ui/changes.html>; rel="deprecation"', '<https://example.com/sunset>; rel="sunset"']
        assert links[:-2] == (['</x/2>; rel="next"'] if status == 200 else [])


def test_without_dates_there_are_no_headers(serve: Serve) -> None:
    """`deprecated` alone says nothing about when."""
    assert not {"deprecation", "sunset", "link"} & serve(CONTRACT, SOURCE).get("/y").headers.keys()


def test_the_removal_may_be_undecided(serve: Serve) -> None:
    """Then there is no `Sunset`."""
    text = "".join(line for line in CONTRACT.splitlines(keepends=True) if "x-sunset" not in line)
    response = serve(text, SOURCE).get("/x/1")
    assert response.headers["Deprecation"] == "@1793491200"
    assert "Sunset" not in response.headers


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("deprecated: true\n", "deprecated: false\n",
         "x-deprecated-since: `x-deprecated-since` is there, and the operation is not deprecated; add"),
        ('      x-deprecated-since: "2026-11-01"\n', "",
         "x-sunset: `x-sunset` is there without `x-deprecated-since`; add `x-deprecated-since`, such as"),
        ('"2026-11-01"', '"soon"',
         'x-deprecated-since: `x-deprecated-since` must be a date or a date-time (RFC 3339); such as "2027-06-30" or'),
        ('"2026-11-01"', '"2026-02-30"', "`x-deprecated-since` must be a date or a date-time (RFC 3339)"),
        ("+02:00", "", "`x-sunset` must be a date or a date-time (RFC 3339)"),
        ('"2026-11-01"', "2026-11-01", "YAML reads this as a date, which JSON does not have; put it in quotes"),
        ('"2026-11-01"', '"2027-07-01"', "x-sunset: `x-sunset` is before `x-deprecated-since`"),
        ('      x-sunset: "2027-06-30T12:00:00+02:00"\n', "", "`x-sunset-url` is there without `x-sunset`"),
        ("/ui/changes.html", '"/ui/>; rel=x"', "`x-deprecation-url` must be a URL; percent-encode other characters"),
    ],
)  # fmt: skip
def test_a_wrong_date_stops_the_start(old: str, new: str, message: str) -> None:
    """Or a missing one, with its place."""
    with pytest.raises(ContractError) as caught:
        load(document(CONTRACT.replace(old, new, 1)))
    assert message in str(caught.value)
    assert "  - /paths/~1x~1{id}/get/x-" in str(caught.value)
