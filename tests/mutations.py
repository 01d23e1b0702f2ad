"""The mutation check: faults put into the program on purpose, one at a time, and the tests that must notice each.

`python -m tests.mutations [word …]` runs them (those whose name has one of the words) in copies of the checkout, and
prints which test caught which. It fails if a fault goes unnoticed. It is no test itself, because it runs the tests.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from app.settings import ROOT

AT_ONCE = 2
TIMEOUT = 300  # seconds for one run of pytest


class Fault(NamedTuple):
    """`text`, which is in `file` exactly once, is replaced by `put`; `caught_by` is the selection that must notice."""

    name: str
    file: str
    text: str
    put: str
    caught_by: str


class SurvivedError(Exception):
    """A fault went unnoticed, or could not be judged."""


FAULTS = (
    # What handlers return
    Fault(
        "a member has the wrong type",
        "handlers/items.py",
        "return item.body, 200, ",
        'return item.body | {"id": str(item.body["id"])}, 200, ',
        "tests/handlers/test_items.py::test_an_item_is_read_as_created",
    ),
    Fault(
        "a member is too many",
        "handlers/items.py",
        "return item.body, 200, ",
        'return item.body | {"version": item.version}, 200, ',
        "tests/handlers/test_items.py::test_an_item_is_read_as_created",
    ),
    Fault(
        "a new item's ETag is missing",
        "handlers/items.py",
        ', "ETag": etag(item.version)}',
        "}",
        "tests/handlers/test_items.py::test_a_new_item_is_returned_as_stored",
    ),
    Fault(
        "an undocumented status is returned",
        "handlers/items.py",
        "return None, 204",
        "return None, 202",
        "tests/handlers/test_items.py::test_deleting_has_an_empty_response",
    ),
    Fault(
        "an item that is not there is an internal error",
        "handlers/items.py",
        "if item is None:",
        "if not item_id:",
        "tests/handlers/test_items.py::test_deleting_twice_is_404_the_second_time",
    ),
    Fault(
        "a version is not counted",
        "db/items.py",
        "item.version + 1",
        "item.version",
        "tests/handlers/test_items.py::test_replacing_writes_all_properties",
    ),
    # Decoders
    Fault(
        "an integer may have a plus",
        "contract/parameters.py",
        '_INTEGER = re.compile(r"-?',
        '_INTEGER = re.compile(r"[+-]?',
        "tests/contract/test_parameters.py::test_an_id_that_is_not_an_integer_is_refused",
    ),
    Fault(
        "a repeated parameter's first value is taken",
        "contract/parameters.py",
        "decode(texts[0]) if len(texts) == 1 else ABSENT",
        "decode(texts[0])",
        "tests/contract/test_parameters.py::test_a_parameter_given_twice_is_refused",
    ),
    Fault(
        "a query that is not UTF-8 is repaired",
        "contract/parameters.py",
        "unquote_to_bytes(value).decode()",
        'unquote_to_bytes(value).decode(errors="replace")',
        "tests/contract/test_parameters.py::test_a_query_that_is_not_utf_8_is_refused",
    ),
    Fault(
        "header lines are not combined (compiled)",
        "contract/compiled.py",
        'f"{texts[name]}{between}{text}" if name in texts else text',
        "text",
        "tests/handlers/test_preconditions.py::test_lines_of_a_header_are_one_list",
    ),
    Fault(
        "header lines are not combined (stock)",
        "contract/parameters.py",
        "(values) if values else None",
        "(values[-1:]) if values else None",
        "tests/handlers/test_preconditions.py::test_lines_of_a_header_are_one_list",
    ),
    # Validators
    Fault(
        "request bodies are not validated (compiled)",
        "contract/compiled.py",
        "if schema.is_valid(document):",
        "if schema:",
        "tests/handlers/test_items.py::test_a_name_is_required",
    ),
    Fault(
        "request bodies are not validated (stock)",
        "contract/stock.py",
        "_RequestValidator, self._schema, document",
        "_RequestValidator, {}, document",
        "tests/handlers/test_items.py::test_a_name_is_required",
    ),
    Fault(
        "parameters are not validated (compiled)",
        "contract/compiled.py",
        "value is not ABSENT and parameter.is_valid(value)",
        "value is not ABSENT",
        "tests/handlers/test_paging.py::test_a_limit_out_of_range_is_rejected",
    ),
    Fault(
        "unknown query parameters are taken",
        "contract/parameters.py",
        "in set(given).difference(names)",
        "in set(given).difference(given)",
        "tests/contract/test_parameters.py::test_where_no_parameter_is_known_none_is_taken",
    ),
    Fault(
        "only the first violation is told",
        "contract/problems.py",
        "violation.at, violation.detail))",
        "violation.at, violation.detail))[:1]",
        "tests/contract/test_parameters.py::test_all_violations_are_told_at_once",
    ),
    Fault(
        "only a body's first violation is told (compiled)",
        "contract/schemas.py",
        "in self._iter_errors(value)",
        "in list(self._iter_errors(value))[:1]",
        "tests/handlers/test_items.py::test_nul_is_rejected",
    ),
    Fault(
        "a first answer's body is not validated",
        "contract/responses.py",
        "if not schema.is_valid(document)",
        "if not schema",
        "tests/contract/test_failures.py::test_a_handler_that_breaks_its_contract_is_a_500",
    ),
    Fault(
        "a later answer's body is not validated (compiled)",
        "contract/responses.py",
        "if not self._is_valid(data)",
        "if not self._is_valid",
        "tests/contract/test_failures.py::test_a_handler_that_kept_its_contract_before_is_watched_all_the_same",
    ),
    Fault(
        "a later answer's headers may be missing (compiled)",
        "contract/responses.py",
        "if missing:",
        "if missing < 0:",
        "tests/contract/test_failures.py::test_a_handler_that_kept_its_contract_before_is_watched_all_the_same",
    ),
    Fault(
        "a first answer's headers are not validated",
        "contract/responses.py",
        "header.fault(keys.get(header.key))",
        "None",
        "tests/contract/test_failures.py::test_a_header_that_does_not_fit_is_a_500",
    ),
    Fault(
        "a later answer's headers are not validated (compiled)",
        "contract/responses.py",
        "or not check[1](value)",
        "",
        "tests/contract/test_failures.py::test_a_header_that_does_not_fit_is_a_500",
    ),
    Fault(
        "answers are not judged (stock)",
        "contract/answers.py",
        """self._judge(start, b"".join(part.get("body", b"") for part in parts))""",
        "pass",
        "tests/contract/test_failures.py::test_a_handler_that_breaks_its_contract_is_a_500",
    ),
    Fault(
        "the beginning of an answer in pieces is not judged (stock)",
        "contract/answers.py",
        "self._judge(start, iter(()))",
        "pass",
        "tests/contract/test_nasty.py::test_a_broken_contract_is_a_500_and_a_report",
    ),
    Fault(
        "problems are not judged (stock)",
        "contract/answers.py",
        "self._responses.problem(problem)",
        "pass",
        "tests/contract/test_failures.py::test_a_problem_that_is_not_in_the_contract_is_a_500",
    ),
    Fault(
        "a text that is bytes already is not judged",
        "contract/responses.py",
        "if isinstance(data, bytes) and get_content_type",
        "if isinstance(data, list) and get_content_type",
        "tests/contract/test_nasty.py::test_an_answer",
    ),
    Fault(
        "answers that Connexion judges are not validated",
        "contract/stock.py",
        "violations_of(_ResponseValidator, self._schema, body)",
        "()",
        "tests/contract/test_references.py::test_an_answer_whose_schema_is_in_another_file_is_judged",
    ),
    Fault(
        "an undocumented status is sent",
        "contract/responses.py",
        'self._broken(f"status {status} is not documented")',
        "pass",
        "tests/contract/test_failures.py::test_a_handler_that_breaks_its_contract_is_a_500",
    ),
    Fault(
        "an undocumented status is sent where Connexion judges",
        "contract/stock.py",
        "if status_code is not None and not",
        "if status_code is None and not",
        "tests/contract/test_references.py::test_an_answer_whose_schema_is_in_another_file_is_judged",
    ),
    Fault(
        "a problem of an undocumented status is sent",
        "contract/responses.py",
        'self._broken(f"problem {problem.status} is not documented")',
        "pass",
        "tests/contract/test_failures.py::test_a_problem_that_is_not_in_the_contract_is_a_500",
    ),
    Fault(
        "a problem is sent where none is documented",
        "contract/responses.py",
        "if MEDIA_TYPE not in response.schemas:",
        "if not MEDIA_TYPE:",
        "tests/contract/test_nasty.py::test_a_broken_contract_is_a_500_and_a_report",
    ),
    Fault(
        "a problem's headers are not validated",
        "contract/responses.py",
        "header.fault(problem.headers.get(header.name))",
        "None",
        "tests/contract/test_failures.py::test_a_problem_that_is_not_in_the_contract_is_a_500",
    ),
    Fault(
        "a problem's body is not validated",
        "contract/responses.py",
        "if schema is not None:\n                self._check(schema, problem.document()",
        "if schema is None:\n                self._check(schema, problem.document()",
        "tests/contract/test_failures.py::test_a_problem_that_is_not_in_the_contract_is_a_500",
    ),
    Fault(
        "what is readOnly is required in requests (compiled)",
        "contract/schemas.py",
        "directed = Direction(document, response=response)",
        "directed = Direction(document, response=True)",
        "tests/contract/test_directions.py::test_what_is_sent_is_required",
    ),
    Fault(
        "what is readOnly is required in requests (stock)",
        "contract/stock.py",
        "directed = Direction({}, response=False)",
        "directed = Direction({}, response=True)",
        "tests/contract/test_nasty.py::test_an_answer",
    ),
    Fault(
        "what is readOnly in an allOf is required beside it",
        "contract/schemas.py",
        "yield keyword, [self.directed(part, spared) for part in value]",
        "yield keyword, [self.directed(part) for part in value]",
        "tests/contract/test_directions.py::test_what_is_sent_is_required",
    ),
    # Options of Connexion's
    Fault(
        "another parser's parameters are read all the same (compiled)",
        "contract/compiled.py",
        "if uri_parser is not OpenAPIURIParser and any(",
        "if uri_parser is None and any(",
        "tests/contract/test_options.py::test_another_parser_reads_the_parameters",
    ),
    Fault(
        "another parser's parameters are read all the same (stock)",
        "contract/stock.py",
        "type(self.uri_parser) is OpenAPIURIParser or",
        "type(self.uri_parser) or",
        "tests/contract/test_options.py::test_another_parser_reads_the_parameters",
    ),
    Fault(
        "names are not made Python's (compiled)",
        "contract/compiled.py",
        "pythonic=operation.pythonic",
        "pythonic=False",
        "tests/contract/test_options.py::test_handlers_have_pythons_names_and_clients_the_contracts",
    ),
    Fault(
        "names are not made Python's (stock)",
        "contract/stock.py",
        "pythonic=operation.pythonic",
        "pythonic=False",
        "tests/contract/test_options.py::test_handlers_have_pythons_names_and_clients_the_contracts",
    ),
    # Documents
    Fault(
        "a member may be there twice, read quickly",
        "contract/documents.py",
        """return document if body.count(b'"') == 2 * texts else None""",
        "return document if texts else None",
        "tests/contract/test_documents.py::test_a_refusal_is_the_answer",
    ),
    Fault(
        "a member may be there twice, read slowly",
        "contract/documents.py",
        "if len(members) < len(pairs)",
        "if len(members) > len(pairs)",
        "tests/contract/test_documents.py::test_a_refusal_is_the_answer",
    ),
    Fault(
        "a lone surrogate is taken",
        "contract/documents.py",
        "if lone_surrogate:",
        "if lone_surrogate is None:",
        "tests/contract/test_documents.py::test_a_refusal_is_the_answer",
    ),
    Fault(
        "any depth is taken",
        "contract/documents.py",
        "if too_deep:",
        "if too_deep is None:",
        "tests/contract/test_documents.py::test_a_hundred_levels_are_enough",
    ),
    Fault(
        "a large integer that leaves is rounded when it is judged",
        "contract/documents.py",
        "if not _MANY_DIGITS.search(body)",
        "if _MANY_DIGITS",
        "tests/contract/test_documents.py::test_an_integer_leaves_as_it_is",
    ),
    Fault(
        "a large integer does not leave",
        "contract/documents.py",
        "value.bit_length() > 63",
        "value.bit_length() > 64",
        "tests/contract/test_documents.py::test_an_integer_leaves_as_it_is",
    ),
    # What HTTP asks of every answer
    Fault(
        "405 has no Allow",
        "contract/gateway.py",
        'headers={"Allow": route.allow}',
        "headers={}",
        "tests/contract/test_methods.py::test_another_method_is_405_with_the_exact_allow",
    ),
    Fault(
        "the client's request id is not taken",
        "contract/gateway.py",
        "given if given and _SANE_REQUEST_ID.fullmatch(given) else ",
        "",
        "tests/contract/test_request_ids.py::test_a_sane_request_id_is_taken",
    ),
    Fault(
        "any request id is taken",
        "contract/gateway.py",
        "given and _SANE_REQUEST_ID.fullmatch(given)",
        "given",
        "tests/contract/test_request_ids.py::test_another_request_id_is_not",
    ),
    Fault(
        "the request id is not sent (compiled)",
        "contract/compiled.py",
        'wire.append((b"x-request-id", identity.encode()))',
        "pass",
        "tests/contract/test_request_ids.py::test_a_sane_request_id_is_taken",
    ),
    Fault(
        "a body's announced length has no limit",
        "contract/bodies.py",
        " or int(length) > limit",
        "",
        "tests/contract/test_bodies.py::test_a_body_beyond_the_limit_is_413",
    ),
    Fault(
        "a body in chunks has no limit",
        "contract/bodies.py",
        'received += len(message.get("body", b""))',
        "pass",
        "tests/contract/test_bodies.py::test_a_body_beyond_the_limit_in_chunks_is_413",
    ),
    Fault(
        "a body in chunks has no limit (compiled)",
        "contract/bodies.py",
        "received += len(chunk)",
        "pass",
        "tests/contract/test_bodies.py::test_a_body_beyond_the_limit_in_chunks_is_413",
    ),
    Fault(
        "Content-Type is not looked at",
        "contract/negotiation.py",
        'if name in consumes and charset in (None, "utf-8", "utf8")',
        "if name := consumes[0]",
        "tests/contract/test_media_types.py::test_a_merge_patch_is_only_taken_by_patch",
    ),
    Fault(
        "any charset is taken",
        "contract/negotiation.py",
        ' and charset in (None, "utf-8", "utf8")',
        "",
        "tests/contract/test_media_types.py::test_another_content_type_is_415",
    ),
    Fault(
        "an answer to HEAD has a body (compiled)",
        "contract/compiled.py",
        'is_bodiless = scope["method"] == "HEAD"',
        "is_bodiless = False",
        "tests/contract/test_methods.py::test_no_byte_of_a_body_is_sent_to_head",
    ),
    Fault(
        "an answer to HEAD has a body (gateway)",
        "contract/gateway.py",
        'bodiless=scope["method"] == "HEAD"',
        "bodiless=False",
        "tests/contract/test_methods.py::test_no_byte_of_a_body_is_sent_to_head",
    ),
    Fault(
        "Accept is not looked at (compiled)",
        "contract/compiled.py",
        "negotiation.check_accept(accept, self.produces)",
        "pass",
        "tests/contract/test_media_types.py::test_an_accept_that_rules_json_out_is_406",
    ),
    Fault(
        "Accept is not looked at (gateway)",
        "contract/gateway.py",
        'negotiation.check_accept(header_text(scope["headers"], "accept"), operation.produces)',
        "pass",
        "tests/contract/test_media_types.py::test_an_accept_that_rules_json_out_is_406",
    ),
    Fault(
        "a 500 tells the client why",
        "contract/gateway.py",
        "Problem(500, detail, ",
        "Problem(500, repr(error), ",
        "tests/contract/test_failures.py::test_an_unforeseen_exception_is_a_500_that_tells_nothing",
    ),
    # Preconditions
    Fault(
        "a weak tag matches If-Match",
        "handlers/preconditions.py",
        "tag == current and not weak",
        "tag == current",
        "tests/handlers/test_preconditions.py::test_a_write_that_does_not_name_it_is_412_and_changes_nothing",
    ),
    Fault(
        "a weak tag does not match If-None-Match",
        "handlers/preconditions.py",
        "any(tag == etag(version) for _, tag in",
        "any(tag == etag(version) and not weak for weak, tag in",
        "tests/handlers/test_preconditions.py::test_an_unchanged_item_is_304",
    ),
    Fault(
        "If-Match is not asked before deleting",
        "handlers/items.py",
        "require_match(if_match, item.version)\n        items.remove",
        "items.remove",
        "tests/handlers/test_preconditions.py::test_a_write_that_does_not_name_it_is_412_and_changes_nothing",
    ),
    # Connections
    Fault(
        "a connection's parser stays in memory",
        "app/worker.py",
        "            self._callback_parser = None",
        "            pass",
        "tests/app/test_worker.py::test_nothing_of_a_connection_stays_in_memory",
    ),
    # Schemas
    Fault(
        "a quick schema forgets its pattern",
        "contract/schemas.py",
        'quick["not"] = {"type": "string", "pattern": f"[{excluded[1]}]"}',
        "pass",
        "tests/contract/test_schemas.py::test_what_is_valid_has_no_violations",
    ),
    Fault(
        "a quick schema refuses what is no text",
        "contract/schemas.py",
        '{"type": "string", "pattern": f"[{excluded[1]}]"}',
        '{"pattern": f"[{excluded[1]}]"}',
        "tests/contract/test_schemas.py::test_what_is_valid_has_no_violations",
    ),
    # Paging
    Fault(
        "a page begins with the last item again",
        "db/items.py",
        "else place > after",
        "else place >= after",
        "tests/handlers/test_paging.py::test_the_last_page_has_no_next",
    ),
    Fault(
        "ties are not broken",
        "db/items.py",
        "place < after if descending else place > after",
        'key < bindparam("after_key") if descending else key > bindparam("after_key")',
        "tests/handlers/test_paging.py::test_any_name_works_in_link",
    ),
    Fault(
        "there is a next page behind the last",
        "handlers/paging.py",
        "if len(found) > limit",
        "if len(found) >= limit",
        "tests/handlers/test_paging.py::test_the_last_page_has_no_next",
    ),
    Fault(
        "a cursor is not bound to its sort",
        "handlers/cursors.py",
        "document[:2] != [sort, name]",
        "document[1:2] != [name]",
        "tests/handlers/test_cursors.py::test_a_cursor_is_bound_to_its_sort_and_filter",
    ),
    Fault(
        "a cursor is not bound to its filter",
        "handlers/cursors.py",
        "document[:2] != [sort, name]",
        "document[:1] != [sort]",
        "tests/handlers/test_cursors.py::test_a_cursor_is_bound_to_its_sort_and_filter",
    ),
    # Transactions
    Fault(
        "a write begins without the lock",
        "db/engine.py",
        '"BEGIN IMMEDIATE"',
        '"BEGIN"',
        "tests/db/test_engine.py::test_a_write_holds_the_lock_from_its_beginning",
    ),
    Fault(
        "a failed write is not rolled back",
        "db/engine.py",
        "_Kept(immediate)]",
        "_Kept(self._engine)]",
        "tests/db/test_engine.py::test_raise_rolls_back",
    ),
    Fault(
        "SQLite's extended error codes are not known",
        "db/errors.py",
        "SQLITE.get(code & 0xFF)",
        "SQLITE.get(code)",
        "tests/db/test_errors.py::test_sqlites_codes",
    ),
    # What breaks clients
    Fault(
        "an answer may have more values than were announced",
        "contract/changes.py",
        "RESPONSE_BREAKS = {Kind.WIDER, ",
        "RESPONSE_BREAKS = {",
        "tests/contract/test_changes.py::test_what_an_edit_of_a_schema_does_to_clients",
    ),
    Fault(
        "any step of the version allows to break",
        "contract/changes.py",
        "_major(new) <= _major(old)",
        "new <= old",
        "tests/contract/test_changes.py::test_only_the_versions_first_number_allows_to_break",
    ),
    Fault(
        "a path's own parameters are not compared",
        "contract/changes.py",
        '[*item.get("parameters", ()), *item[method]',
        "[*item[method]",
        "tests/contract/test_changes.py::test_what_says_the_same_is_no_change",
    ),
    Fault(
        "what is readOnly counts as sent",
        "contract/narrowing.py",
        "if not self._flat(side, member).get(self.left_out)",
        "if self._flat(side, member) is not None",
        "tests/contract/test_changes.py::test_what_an_edit_of_a_schema_does_to_clients",
    ),
    Fault(
        "an exclusive limit is taken for an inclusive one",
        "contract/narrowing.py",
        'side.get("exclusiveMaximum", False)',
        "False",
        "tests/contract/test_changes.py::test_what_an_edit_of_a_schema_does_to_clients",
    ),
)


def copy(target: Path) -> None:
    """Put the checkout, as it is now, into `target`: what Git knows, and what is new and not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def insert(fault: Fault, folder: Path) -> None:
    """Put the fault into the copy in `folder`."""
    file = folder / fault.file
    source = file.read_text("utf-8")
    if source.count(fault.text) != 1:
        raise SurvivedError(f"its text is {source.count(fault.text)} times in {fault.file}: {fault.text}")
    file.write_text(source.replace(fault.text, fault.put), "utf-8")


def run(folder: Path, selections: Iterable[str]) -> tuple[int, str]:
    """Run tests in a copy until one fails: pytest's exit status, and its output."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider", *selections]
    # No plugins: to load Schemathesis takes longer than most of these tests.
    environ = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "COLUMNS": "1000"}
    ended = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    return ended.returncode, ended.stdout + ended.stderr


def catch(fault: Fault, original: Path) -> str:
    """The test that notices the fault; `SurvivedError` if none does, or none could run."""
    with TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name) / "checkout"
        shutil.copytree(original, folder)
        insert(fault, folder)
        status, output = run(folder, [fault.caught_by])
    failed = [line for line in output.splitlines() if line.startswith("FAILED ")]
    if status == 0:
        raise SurvivedError(f"nothing in {fault.caught_by} noticed it")
    if not failed:
        raise SurvivedError(f"{fault.caught_by} did not fail, it broke off:\n{output}")
    return failed[0].removeprefix("FAILED ").partition(" - ")[0]


def main(words: list[str]) -> int:
    """Run the faults and print what caught each; 1 if one survived."""
    faults = [fault for fault in FAULTS if not words or any(word in fault.name for word in words)]
    survivors = 0
    with TemporaryDirectory(prefix="mutations-") as name, ThreadPoolExecutor(AT_ONCE) as pool:
        original = Path(name)
        copy(original)
        selections = sorted({fault.caught_by for fault in faults})
        shares = [selections[start::AT_ONCE] for start in range(min(AT_ONCE, len(selections)))]
        for status, output in pool.map(lambda share: run(original, share), shares):
            if status:
                print(f"Without any fault, the tests must pass:\n{output}")
                return 1
        print(f"Without any fault: {len(selections)} selections of tests pass.\n\n| Fault | Caught by |\n|---|---|")
        for fault, caught in zip(faults, [pool.submit(catch, fault, original) for fault in faults], strict=True):
            try:
                said = f"`{caught.result()}`"
            except (SurvivedError, subprocess.TimeoutExpired) as error:
                survivors += 1
                said = f"**not caught**: {error}"
            print(f"| {fault.name} (`{fault.file}`) | {said} |", flush=True)
    print(f"\n{len(faults) - survivors} of {len(faults)} faults were caught.")
    return min(survivors, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
