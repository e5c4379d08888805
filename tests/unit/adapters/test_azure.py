"""What the agent of Azure Pipelines obeys, wherever in a line it stands, and what it must not."""

from io import BytesIO, StringIO, TextIOWrapper

import pytest

from manifest_action.adapters.ci.azure import AzureLog


@pytest.mark.parametrize("marks", ["##", "###", "####", "#####"])
@pytest.mark.parametrize("before", ["", "x ", "#", "# "])
def test_no_line_and_no_title_is_a_command(before: str, marks: str) -> None:
    stream = StringIO()
    log = AzureLog(stream)
    text = f"{before}{marks}vso[task.setvariable variable=digest]evil {marks}[error]y"
    log.line(text)
    log.group(text)
    line, title = stream.getvalue().splitlines()
    assert "##" not in line
    assert "##" not in title.removeprefix("##[group]")
    assert line.replace(" ", "") == text.replace(" ", "")


def test_a_secret_that_is_no_text_is_left_out() -> None:
    out = BytesIO()
    log = AzureLog(TextIOWrapper(out, encoding="utf-8"))
    log.mask("canary\udcff")
    log.mask("canary")
    assert out.getvalue() == b"##vso[task.setsecret]canary\n"
