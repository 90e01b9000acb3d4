"""What the package and the published JSON Schema say of each payload: reads a list, prints a list."""

import json
import sys

from jsonschema import Draft202012Validator
from model_generator.checking import problems

payloads, schema = json.load(sys.stdin)
validators = {
    task: Draft202012Validator({**schema, "$ref": f"#/$defs/{task}.arguments"})
    for task in ("generate_model", "edit_model", "batch_generate", "health_check")
}
json.dump(
    [
        {
            "fields": list(problems(one["task"], one["kwargs"])),
            "fits": validators[one["task"]].is_valid(one["kwargs"]),
        }
        for one in payloads
    ],
    sys.stdout,
)
