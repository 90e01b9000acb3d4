"""Whether the worker would take a call's arguments, found out before anything is sent."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple
from urllib.parse import urlsplit

from ._contract import TASKS
from .errors import ValidationError

_Schema = Mapping[str, Any]
_Problems = List[Tuple[str, str]]


def _units(text: str) -> int:
    """The worker counts characters as JavaScript does: most emoji are two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, (int, float)) and _is_number(value) and value == int(value)


_TYPES: Dict[str, Callable[[object], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": _is_whole,
    "array": lambda value: isinstance(value, (list, tuple)),
    "object": lambda value: isinstance(value, dict),
}


def _levels(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max((_levels(inner) for inner in value.values()), default=0)
    if isinstance(value, (list, tuple)):
        return 1 + max((_levels(inner) for inner in value), default=0)
    return 0


def _texts(value: object) -> List[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for inner in pair for text in _texts(inner)]
    if isinstance(value, (list, tuple)):
        return [text for inner in value for text in _texts(inner)]
    return []


def _json_problem(value: object, schema: _Schema) -> Optional[str]:
    try:
        if _levels(value) > schema["x-levels"]:
            return f"expected at most {schema['x-levels']} levels of JSON"
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return "expected what JSON can hold"
    if _units(text) > schema["x-characters"]:
        return f"expected at most {schema['x-characters']} characters of JSON"
    if any(re.search("[\u0000\ud800-\udfff]", inner) for inner in _texts(value)):
        return "expected text without NUL or broken characters"
    return None


def _is_picture(url: str, most: _Schema) -> bool:
    if re.search("[\x00\ud800-\udfff]", url):
        return False
    if url[:11].lower() == "data:image/":
        return _units(url) <= int(most["longestData"])
    if not re.match("(?:https?|file)://", url, re.IGNORECASE) or _units(url) > most["longest"]:
        return False
    try:
        parts = urlsplit(url)
        parts.port  # raises for a port that is none
    except ValueError:
        return False
    return parts.scheme == "file" or bool(parts.hostname and not re.search(r"[\s<>^|%\\]", parts.hostname))


def _problems(schema: _Schema, value: Any, path: str) -> _Problems:
    if "anyOf" in schema:
        found = [_problems(one, value, path) for one in schema["anyOf"]]
        if any(problems == [] for problems in found):
            return []
        # The branch of the value's own type has the most to say.
        own = [
            problems
            for one, problems in zip(schema["anyOf"], found)
            if one.get("type") != "null" and _TYPES[one["type"]](value)
        ]
        return (own or [[(path, f"expected {_expected(schema)}")]])[0]
    if not _TYPES[schema["type"]](value):
        return [(path, f"expected {_expected(schema)}")]
    if "enum" in schema and value not in schema["enum"]:
        return [(path, f"expected {_expected(schema)}")]
    if isinstance(value, str):
        if "x-picture" in schema:
            return [] if _is_picture(value, schema["x-picture"]) else [(path, "expected the URL of a picture")]
        if _units(value) < schema.get("minLength", 0):
            return [(path, f"expected at least {schema['minLength']} character")]
        if _units(value) > schema.get("maxLength", math.inf):
            return [(path, f"expected at most {schema['maxLength']} characters")]
        if "pattern" in schema and re.search(schema["pattern"].replace("$", r"\Z"), value) is None:
            return [(path, schema.get("description", "expected text without NUL or broken characters"))]
    elif _is_number(value):
        if value < schema.get("minimum", -math.inf) or value > schema.get("maximum", math.inf):
            return [(path, f"expected {schema['minimum']} to {schema['maximum']}")]
    elif isinstance(value, (list, tuple)):
        if len(value) > schema.get("maxItems", math.inf):
            return [(path, f"expected at most {schema['maxItems']} elements")]
        if len(value) < schema.get("minItems", 0):
            return [(path, f"expected at least {schema['minItems']} element")]
        return [problem for at, inner in enumerate(value) for problem in _problems(schema["items"], inner, f"{path}.{at}")]
    elif isinstance(value, dict):
        if "x-levels" in schema:
            problem = _json_problem(value, schema)
            return [] if problem is None else [(path, problem)]
        if "properties" in schema:
            return _of_object(schema, value, f"{path}.")
    return []


def _of_object(schema: _Schema, value: Mapping[str, Any], before: str) -> _Problems:
    properties = schema.get("properties", {})
    missing = [(before + name, "is missing") for name in schema.get("required", ()) if name not in value]
    unknown = (
        [(f"{before}{name}", "is not an argument of this task") for name in value if name not in properties]
        if schema.get("additionalProperties") is False
        else []
    )
    return [
        *missing,
        *unknown,
        *(
            problem
            for name, inner in properties.items()
            if name in value
            for problem in _problems(inner, value[name], before + name)
        ),
    ]


def _expected(schema: _Schema) -> str:
    if "anyOf" in schema:
        return " or ".join(_expected(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(repr(one) for one in schema["enum"])
    return {"null": "None", "array": "a list", "object": "a dict", "boolean": "True or False"}.get(
        schema["type"], f"a {schema['type']}" if schema["type"] != "integer" else "a whole number"
    )


def _source_problems(given: Mapping[str, Any]) -> _Problems:
    """What `edit_model` asks of its arguments together."""
    model = given.get("model")
    sources = [name for name in ("model", "model_id", "template_id") if given.get(name) is not None]
    if len(sources) != 1:
        return [("model", "exactly one of model, model_id and template_id is needed")]
    if given.get("version") is not None and given.get("template_id") is None:
        return [("version", "goes with template_id only")]
    if isinstance(model, dict):
        identifier = model.get("id")
        if isinstance(identifier, str) and identifier != "" and "image_url" not in model:
            return []
        return _problems(TASKS["edit_model"]["model"], model, "model")
    return []


def problems(task: str, arguments: Mapping[str, Any], *, partial: bool = False) -> Dict[str, str]:
    """What the worker would refuse, by the path of each argument. `partial`: a chain may bring the first argument."""
    schema = TASKS[task]["request"]
    found = _of_object(schema, arguments, "")
    if found == [] and task == "edit_model":
        sourceless = all(arguments.get(name) is None for name in ("model", "model_id", "template_id"))
        if not (partial and sourceless and arguments.get("version") is None):
            found = _source_problems(arguments)
    if found == [] and task == "batch_generate" and arguments.get("count") is None and arguments.get("templates") is None:
        found = [("count", "one of count and templates is needed")]
    return dict(found)


def check(task: str, arguments: Mapping[str, Any], *, partial: bool = False) -> None:
    """Raises the `ValidationError` that the worker would answer with. Nothing is sent."""
    found = problems(task, arguments, partial=partial)
    if found:
        raise ValidationError("; ".join(f"{path}: {problem}" for path, problem in found.items()))
