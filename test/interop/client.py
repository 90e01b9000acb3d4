"""A Celery client as the App Server has it: reads calls as JSON, makes them all, prints what came of each as JSON."""

import json
import sys

from celery import Celery, chain, signature
from celery.result import AsyncResult, GroupResult

asked = json.load(sys.stdin)
app = Celery("app", broker=asked["broker"], backend=asked["backend"])
app.conf.task_default_queue = asked.get("queue", "generator_queue")
app.conf.update(asked.get("conf", {}))
TIMEOUT = asked.get("timeout", 30)


def sig(call):
    return signature(call["task"], args=call.get("args", []), kwargs=call.get("kwargs", {}), app=app)


def send(call):
    if "chain" in call:
        return chain(*[sig(one) for one in call["chain"]], app=app).apply_async()
    if "restore" in call:
        return GroupResult.restore(call["restore"], app=app)
    if "read" in call:
        return AsyncResult(call["read"], app=app)
    return sig(call).apply_async(**call.get("options", {}))


def outcome(call, result):
    try:
        if "restore" in call:
            return {"value": result.get(timeout=TIMEOUT), "ids": [one.id for one in result.results]}
        value = result.get(timeout=TIMEOUT)
        return {
            "value": value,
            "id": result.id,
            "state": result.state,
            "children": [child.id for child in (result.children or [])],
            "parent": None if result.parent is None else result.parent.get(timeout=TIMEOUT),
        }
    except Exception as error:
        return {
            "raised": type(error).__name__,
            "args": [str(arg) for arg in error.args],
            "id": getattr(result, "id", None),
            "state": getattr(result, "state", None),
        }


sent = [(call, send(call)) for call in asked["calls"]]
if asked.get("wait", True):
    json.dump([outcome(call, result) for call, result in sent], sys.stdout)
else:
    json.dump([{"id": result.id} for _, result in sent], sys.stdout)
