"""Make the collection that openapi-to-postmanv2 has converted one that runs from top to bottom, in Postman or newman.

    python -m tools.postman COLLECTION URL

The converter takes the base URL and the ids from the contract: `/` and an example. This command sets the URL of an
instance, and uses the ids of what the collection itself has created. Every request gets a test of its response.
"""

import argparse
import json
from pathlib import Path
from typing import Any

ORDER = ("POST", "GET", "PUT", "PATCH", "DELETE")
STATUS = 'pm.test("The status is {0}", () => pm.response.to.have.status({0}));'
MEDIA_TYPE = 'pm.test("The media type is {0}", () => pm.response.to.have.header("Content-Type", "{0}"));'
SAVE_ID = 'pm.collectionVariables.set("{0}", pm.response.headers.get("Location").split("/").pop());'
LAST = {"name": "delete", "description": "Deletes what the collection has created, in reverse order."}


def main() -> None:
    """Rewrite the file."""
    parser = argparse.ArgumentParser(prog="make postman", description="Prepare a converted collection.")
    parser.add_argument("collection", type=Path)
    parser.add_argument("url")
    options = parser.parse_args()
    collection = json.loads(options.collection.read_text(encoding="utf-8"))
    prepare(collection, options.url.rstrip("/"))
    text = json.dumps(collection, indent=2, ensure_ascii=False)
    options.collection.write_text(f"{text}\n", encoding="utf-8")
    print(
        f"{options.collection}: {sum(len(folder['item']) for folder in collection['item'])} requests to {options.url}"
    )


def prepare(collection: dict[str, Any], url: str) -> None:
    """Order the requests, and give them ids, tests and the base URL."""
    requests = [item for folder in collection["item"] for item in folder["item"]]
    ids = _ids(requests)
    for item in requests:
        _use_ids(item["request"], set(ids.values()))
        item["event"] = [{"listen": "test", "script": {"type": "text/javascript", "exec": _script(item, ids)}}]
    for folder in collection["item"]:
        folder["item"] = sorted((item for item in folder["item"] if _method(item) != "DELETE"), key=_order)
    # What refers to another resource has to be deleted before it.
    deletions = [item for item in reversed(requests) if _method(item) == "DELETE"]
    collection["item"].append({**LAST, "item": deletions})
    collection["variable"] = [{"key": "baseUrl", "value": url}, *({"key": name, "value": ""} for name in ids.values())]


def _ids(requests: list[dict[str, Any]]) -> dict[tuple[str, ...], str]:
    """The name of the id that each collection assigns: `item_id` for /items, if there is a POST and /items/:item_id."""
    paths = {_path(item) for item in requests}
    created = {_path(item) for item in requests if _method(item) == "POST"}
    return {path[:-1]: path[-1][1:] for path in sorted(paths) if path[-1].startswith(":") and path[:-1] in created}


def _use_ids(request: dict[str, Any], names: set[str]) -> None:
    """Replace the examples of ids, in the path and in the body, by variables."""
    for variable in request["url"]["variable"]:
        if variable["key"] in names:
            variable["value"] = f"{{{{{variable['key']}}}}}"
    if request["body"].get("mode") == "raw":
        body = json.loads(request["body"]["raw"])
        raw = json.dumps({**body, **{name: f"{{{{{name}}}}}" for name in names & body.keys()}}, indent=2)
        for name in names:
            raw = raw.replace(f'"{{{{{name}}}}}"', f"{{{{{name}}}}}")
        request["body"]["raw"] = raw


def _script(item: dict[str, Any], ids: dict[tuple[str, ...], str]) -> list[str]:
    """Test the status and the media type of the first success that the operation documents; keep the id."""
    success = min((response for response in item["response"] if "code" in response), key=lambda each: each["code"])
    types = [header["value"] for header in success["header"] if header["key"] == "Content-Type"]
    lines = [STATUS.format(success["code"]), *(MEDIA_TYPE.format(media_type) for media_type in types)]
    if _method(item) == "POST" and _path(item) in ids:
        lines.append(SAVE_ID.format(ids[_path(item)]))
    return lines


def _method(item: dict[str, Any]) -> str:
    return str(item["request"]["method"])


def _path(item: dict[str, Any]) -> tuple[str, ...]:
    return tuple(item["request"]["url"]["path"])


def _order(item: dict[str, Any]) -> tuple[int, int]:
    return ORDER.index(_method(item)), len(_path(item))


if __name__ == "__main__":
    main()
