"""Write host/action.yml from action.yml: the same inputs and outputs, on the runner's own Python.

    python3 scripts/write_host_action.py

Needs Python alone: action.yml is taken line by line, as it is this project's own and looks the same everywhere.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAD = """\
# Written by scripts/write_host_action.py from ../action.yml; change that one.
name: Manifest Action on the runner
description: The same action without a container, where the logins of earlier steps and credential helpers are seen.
author: Manifest Action contributors
"""
RUNS = """\
runs:
  using: composite
  steps:
    - id: run
      shell: bash
      run: exec "$(command -v python3 || command -v python)" -I "$GITHUB_ACTION_PATH/run.py"
      env:
"""


def host_action(text: str) -> str:
    """The text of host/action.yml for the text of action.yml."""
    inputs, outputs = _section(text, "inputs"), _section(text, "outputs")
    # Shells drop variables that have hyphens in their names.
    variables = [
        f"        INPUT_{name.upper().replace('-', '_')}: ${{{{ inputs.{name} }}}}\n" for name in _names(inputs)
    ]
    return "\n".join([HEAD, inputs, _with_values(outputs), RUNS + "".join(variables)])


def _section(text: str, name: str) -> str:
    """A top-level key with everything below it."""
    found = re.search(rf"^{name}:\n(?:(?: .*)?\n)*?(?=^\S|\Z)", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"action.yml has no {name}")
    return found[0].rstrip("\n") + "\n"


def _names(section: str) -> list[str]:
    return re.findall(r"^  ([\w-]+):$", section, re.MULTILINE)


def _with_values(outputs: str) -> str:
    """Outputs of a composite action say where they come from."""
    head, *parts = re.split(r"^(?=  [\w-]+:$)", outputs, flags=re.MULTILINE)
    named = zip(parts, _names(outputs), strict=True)
    return head + "".join(f"{part}    value: ${{{{ steps.run.outputs.{name} }}}}\n" for part, name in named)


if __name__ == "__main__":
    (ROOT / "host" / "action.yml").write_text(host_action((ROOT / "action.yml").read_text()))
