import json
from pathlib import Path

import pytest

from manifest_action.adapters.report_merge import failure, merged, read_parts
from manifest_action.errors import UNEXPECTED_EXIT_CODE, ConfigError


def report(folder: Path, name: str, *indexes: str, error: object = None, **members: object) -> str:
    document = {"schema": 1, "version": "0", "success": error is None, "dryRun": False, "changed": False}
    document |= {"error": error, "indexes": [{"name": each, "by": name} for each in indexes]} | members
    file = folder / name
    file.write_text(json.dumps(document))
    return str(file)


def test_indexes_follow_each_other_and_changes_add_up(tmp_path: Path) -> None:
    parts = read_parts([report(tmp_path, "1", "a", "b"), report(tmp_path, "2", "c", changed=True)])
    whole = merged(parts)
    assert [index["name"] for index in whole["indexes"]] == ["a", "b", "c"]  # type: ignore[attr-defined]
    assert (whole["success"], whole["changed"], whole["dryRun"], whole["error"]) == (True, True, False, None)
    assert failure(parts) is None


def test_a_later_report_of_the_same_index_counts(tmp_path: Path) -> None:
    whole = merged(read_parts([report(tmp_path, "1", "a", "b"), report(tmp_path, "again", "a")]))
    assert whole["indexes"] == [{"name": "a", "by": "again"}, {"name": "b", "by": "1"}]


def test_indexes_of_one_name_that_differ_in_their_tags_or_digests_are_all_there(tmp_path: Path) -> None:
    one, two = ({"name": "r.test/a", "tags": [{"reference": f"r.test/a:{tag}"}]} for tag in ("1", "2"))
    three, four = ({"name": "r.test/a", "digest": f"sha256:{digest}", "tags": []} for digest in ("3", "4"))
    first = report(tmp_path, "1", indexes=[one, three])
    second = report(tmp_path, "2", indexes=[two, four, one | {"changed": True}])
    assert merged(read_parts([first, second]))["indexes"] == [one | {"changed": True}, three, two, four]


def test_the_first_failure_gives_the_code_and_all_findings_are_there(tmp_path: Path) -> None:
    auth = {"code": "auth", "exitCode": 6, "findings": [{"what": "no"}]}
    network = {"code": "network", "exitCode": 7, "findings": [{"what": "gone"}]}
    names = [
        report(tmp_path, "1", "a"),
        report(tmp_path, "2", "b", error=auth),
        report(tmp_path, "3", "c", error=network),
    ]
    parts = read_parts(names)
    assert merged(parts)["error"] == {"code": "auth", "exitCode": 6, "findings": [{"what": "no"}, {"what": "gone"}]}
    error = failure(parts)
    assert error is not None
    assert (error.exit_code, error.where) == (6, names[1])
    assert str(error) == f"{names[1]}: 2 of 3 runs failed"


@pytest.mark.parametrize("code", [0, 256, "6", None])
def test_a_code_that_is_none_is_not_passed_on(tmp_path: Path, code: object) -> None:
    parts = read_parts([report(tmp_path, "1", "a", error={"exitCode": code})])
    error = failure(parts)
    assert error is not None
    assert error.exit_code == UNEXPECTED_EXIT_CODE


def test_every_file_that_is_no_report_is_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no JSON")
    (tmp_path / "other").write_text('{"schema": 2, "indexes": []}')
    paths = [report(tmp_path, "good"), *(str(tmp_path / name) for name in ("text", "other", "missing"))]
    with pytest.raises(ConfigError) as caught:
        read_parts(paths)
    assert [problem.what.rpartition("/")[2].split("'")[0] for problem in caught.value.problems] == [
        "text",
        "other",
        "missing",
    ]
