"""For each file named: what the C2PA library says of its manifest, as one line of JSON. First comes a root to trust, or "-"."""
import json
import sys

import c2pa

root, *files = sys.argv[1:]


def judge(path, settings):
    try:
        with c2pa.Context(settings) as context, c2pa.Reader(path, context=context) as reader:
            manifest = json.loads(reader.json())
            active = manifest["manifests"][manifest["active_manifest"]]
            results = reader.get_validation_results()["activeManifest"]
            return {
                "state": reader.get_validation_state(),
                "failures": [one["code"] for one in results["failure"]],
                "assertions": {one["label"]: one["data"] for one in active["assertions"]},
            }
    except Exception as error:
        return {"state": "unreadable", "failures": [str(error)], "assertions": {}}


settings = c2pa.Settings()
if root != "-":
    with open(root) as pem:
        settings.update({"trust": {"user_anchors": pem.read()}})
for file in files:
    print(json.dumps(judge(file, settings)))
