"""The shape of the code: which way imports run, what things are called, how large they grow."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import ROOT

PRODUCT = sorted((ROOT / "manifest_action").rglob("*.py"))
TESTS = ROOT / "tests"
EVERYTHING = [*PRODUCT, *sorted((ROOT / "scripts").glob("*.py")), *sorted(TESTS.rglob("*.py"))]
FUNCTION_LIMIT = 60
FILE_LIMIT = 450
WORDS_NOT_USED = {"util", "utils", "helper", "helpers", "misc", "manager", "provider"}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def _definitions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Functions, classes and their methods, with dotted names; what is local to a function is not listed."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            yield f"{prefix}{child.name}", child
        if isinstance(child, ast.ClassDef):
            yield from _definitions(child, f"{prefix}{child.name}.")
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _definitions(child, prefix)


def _is_public(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))


def test_imports_run_one_way() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
    assert "0 broken" in result.stdout


def test_the_product_is_found() -> None:
    assert len(PRODUCT) > 20


def test_modules_are_named_for_what_they_hold() -> None:
    vague = [_name(file) for file in EVERYTHING if WORDS_NOT_USED & set(file.stem.split("_"))]
    assert not vague


@pytest.mark.parametrize("file", PRODUCT, ids=_name)
def test_everything_public_is_described(file: Path) -> None:
    tree = ast.parse(file.read_text())
    assert ast.get_docstring(tree), "the module"
    bare = [name for name, node in _definitions(tree) if _is_public(name) and not ast.get_docstring(node)]
    assert not bare


@pytest.mark.parametrize("file", EVERYTHING, ids=_name)
def test_functions_and_files_stay_small(file: Path) -> None:
    """Files of tests may be longer: tables of cases belong together."""
    text = file.read_text()
    functions = [
        (name, length)
        for name, node in _definitions(ast.parse(text))
        if not isinstance(node, ast.ClassDef) and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LIMIT
    ]
    assert not functions
    assert len(text.splitlines()) <= FILE_LIMIT or TESTS in file.parents


def test_checks_see_what_they_look_for() -> None:
    tree = ast.parse(
        "class A:\n    def b(self):\n        def c(): ...\n\nif True:\n    def d(): ...\n    def _e(): ...\n"
    )
    assert [name for name, _ in _definitions(tree)] == ["A", "A.b", "d", "_e"]
    assert [name for name, _ in _definitions(tree) if _is_public(name)] == ["A", "A.b", "d"]
