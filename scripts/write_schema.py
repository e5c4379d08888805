"""Write docs/spec.schema.json from the table of keys that the reader itself uses."""

import json
from pathlib import Path

from manifest_action.plan.schema import spec_schema

target = Path(__file__).parents[1] / "docs" / "spec.schema.json"
target.parent.mkdir(exist_ok=True)
target.write_text(json.dumps(spec_schema(), indent=2) + "\n", encoding="utf-8")
