"""Reads a JSON list of texts, each with manifests, from standard input and the versions of Kubernetes from its arguments. Writes as
JSON the manifests of each text and what the API of each version, or KEDA's, says against them. A field that the API does not know
counts."""

import functools
import json
import sys

import kubernetes_validate
import kubernetes_validate.utils
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from pydantic import ValidationError

# It reads a file of a megabyte again for each manifest.
kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)


def unknown(given, kept, path):
    """What the model has not kept of a manifest is a field that it does not know."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            if key in kept:
                yield from unknown(value, kept[key], f"{path}.{key}")
            else:
                yield f"{path}.{key} is unknown"
    elif isinstance(given, list) and isinstance(kept, list):
        for at, pair in enumerate(zip(given, kept)):
            yield from unknown(*pair, f"{path}[{at}]")


def judge_scaled_object(document):
    try:
        model = ScaledObject.model_validate(document)
    except ValidationError as error:
        return [str(error)]
    return list(unknown(document, model.model_dump(by_alias=True, exclude_unset=True, mode="json"), "ScaledObject"))


def judge(document, version):
    try:
        kubernetes_validate.validate(document, version, strict=True)
        return []
    except kubernetes_validate.ValidationError as error:
        return [f"Kubernetes {version}: {document['kind']} {'.'.join(map(str, error.path))}: {error.message[:300]}"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [error.message]


def judge_all(text):
    documents = [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]
    problems = []
    for document in documents:
        if document["apiVersion"].startswith("keda.sh/"):
            problems += judge_scaled_object(document)
        else:
            for version in sys.argv[1:]:
                problems += judge(document, version)
    return {"documents": documents, "problems": problems}


json.dump([judge_all(text) for text in json.load(sys.stdin)], sys.stdout)
