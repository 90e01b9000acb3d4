"""Sends every canvas below, then prints what came of each as JSON. Tasks of `theirs` run in a stock worker, the others in ours."""

import json
import re
import sys
import time

from celery import chain, chord, group
from celery.exceptions import TimeoutError as NoAnswer
from celery.result import GroupResult

import canvas_app
from canvas_app import app

asked = json.load(sys.stdin)
TIMEOUT = asked.get("timeout", 30)


class Theirs:
    """A task of the stock worker. Our worker does not know its queue, so the signature says it."""

    def __init__(self, task):
        self.task = task

    def s(self, *args):
        return self.task.s(*args).set(queue="theirs")

    def si(self, *args):
        return self.task.si(*args).set(queue="theirs")


add, count, echo, fail, note, total = (
    Theirs(getattr(canvas_app, name)) for name in ("add", "count", "echo", "fail", "note", "total")
)


def ours(task, *args, **kwargs):
    return app.signature(task, args=args, kwargs=kwargs).set(queue="generator_queue")


def health():
    return ours("health_check").clone().set(immutable=True)


def bad():
    return ours("generate_model", surprise=1, **asked["five"]).set(immutable=True)


def picture(seed):
    return ours("generate_model", seed=seed, **asked["five"]).set(immutable=True)


def noted(task_id):
    until = time.monotonic() + 10
    while time.monotonic() < until:
        found = app.backend.client.lrange(f"noted:{task_id}", 0, -1)
        if found:
            time.sleep(0.3)
            return len(app.backend.client.lrange(f"noted:{task_id}", 0, -1))
        time.sleep(0.05)
    return 0


def shape(value):
    """Health reports all look different: the word will do."""
    if isinstance(value, dict):
        return "healthy" if "uptime_s" in value else "picture"
    return [shape(one) for one in value] if isinstance(value, list) else value


def come_of(result):
    if isinstance(result, GroupResult):
        return [come_of(one) for one in result.results]
    try:
        # Without propagate, which would tell of its parents' failures instead of its own.
        value = result.get(timeout=TIMEOUT, propagate=False)
    except NoAnswer:
        return "hangs"
    if isinstance(value, Exception):
        return re.sub(r"[0-9a-f-]{36}", "ID", f"{type(value).__name__}: {value}")
    return shape(value)


def line(result):
    """The result and its parents, first one first."""
    out = []
    while result is not None:
        out.insert(0, [come_of(one) for one in result.results] if isinstance(result, GroupResult) else come_of(result))
        result = result.parent
    return out


def children(result):
    result.get(timeout=TIMEOUT)
    return [
        [come_of(one) for one in child.results] if isinstance(child, GroupResult) else come_of(child)
        for child in result.children or []
    ]


def errback():
    return note.s()


canvases = {
    "chain": (lambda: chain(health(), echo.s(), health(), echo.s("end"))(), line),
    "chain of pictures": (lambda: chain(picture(1), ours("edit_model", prompt="red"), echo.s())(), line),
    "failing chain": (lambda: chain(bad(), echo.s(), health())(), line),
    "their failure in a chain": (lambda: chain(health(), fail.s(), health())(), line),
    "header ours, body theirs": (lambda: chord([health(), health(), picture(2)])(echo.s()), line),
    "header theirs, body ours": (lambda: chord([add.s(1, 1), add.s(2, 2)])(health()), line),
    "mixed header": (lambda: chord([add.s(i, i) if i % 2 else health() for i in range(6)])(echo.s()), come_of),
    "our failing header": (lambda: chord([health(), bad(), add.s(1, 1)])(echo.s()), come_of),
    "our failing header, body ours": (lambda: chord([health(), bad()])(health()), come_of),
    "their failing header": (lambda: chord([health(), fail.s()])(health()), come_of),
    "unregistered in a header": (lambda: chord([health(), ours("no.such")])(echo.s()), come_of),
    "errback of a body": (
        lambda: chord([health(), bad()])(echo.s().on_error(errback())),
        lambda r: [come_of(r), noted(r.id)],
    ),
    "link": (lambda: health().apply_async(link=echo.s("linked")), children),
    "links": (lambda: health().apply_async(link=[echo.s("a"), add.si(1, 2), health()]), children),
    "link to a group": (lambda: health().apply_async(link=group(add.si(1, 2), health())), children),
    "link to a chain": (lambda: health().apply_async(link=chain(add.si(1, 2), add.s(3))), children),
    "link to a chord": (lambda: health().apply_async(link=chord([add.si(1, 2), health()], count.s())), children),
    "link_error": (lambda: bad().apply_async(link_error=errback()), lambda r: [come_of(r), noted(r.id)]),
    "link_errors": (
        lambda: bad().apply_async(link_error=[errback(), errback()]),
        lambda r: [come_of(r), noted(r.id)],
    ),
    "link_error of ours": (lambda: bad().apply_async(link_error=health()), come_of),
    "chain ending in a group": (lambda: chain(health(), group(add.si(1, 1), health(), echo.s()))(), come_of),
    "group inside a chain": (lambda: chain(health(), group(add.si(1, 1), health()), echo.s(), count.s())(), line),
    "group inside a chain, body ours": (lambda: chain(health(), group(add.si(1, 1), health()), health())(), line),
    "two groups inside a chain": (
        lambda: chain(health(), group(add.si(1, 1), health()), group(count.s(), count.s()), echo.s())(),
        come_of,
    ),
    "failing group inside a chain": (lambda: chain(health(), group(bad(), health()), echo.s())(), come_of),
    "failing group inside a chain, and more to come": (
        lambda: chain(health(), group(bad(), health()), echo.s(), echo.s())(),
        come_of,
    ),
    "failing header, body a chain": (lambda: chord([health(), bad()])(chain(count.s(), add.s(10))), come_of),
    "failing header, body a group": (lambda: chord([health(), bad()])(group(count.s(), echo.s())), come_of),
    "chains in a header": (
        lambda: chord([chain(health(), add.si(1, 1)), chain(add.si(2, 2), health())])(echo.s()),
        come_of,
    ),
    "failing chain in a header": (
        lambda: chord([chain(bad(), health(), add.si(1, 1)), add.si(2, 2)])(echo.s()),
        come_of,
    ),
    "chord in a header": (
        lambda: chord([chord([health(), add.si(1, 1)], count.s()), add.si(5, 5)])(total.s()),
        come_of,
    ),
    "failing chord in a header": (
        lambda: chord([chord([health(), bad()], count.s()), add.si(5, 5)])(total.s()),
        come_of,
    ),
    "group in a header": (lambda: chord([group(health(), add.si(1, 2)), add.si(3, 4)])(count.s()), come_of),
    "chain ending in a group in a header": (
        # All of it ours: a stock worker whose task is the last cannot always join a nested header.
        lambda: chord([chain(health(), group(health(), picture(4))), health()])(echo.s()),
        come_of,
    ),
    "the same, after a task of ours": (
        lambda: chain(
            health(), chord([chain(health(), group(health(), picture(5))), health()], echo.s())
        )(),
        come_of,
    ),
    "body a chain": (lambda: chord([health(), health()])(chain(count.s(), add.s(10), health())), come_of),
    "body a group": (lambda: chord([health(), health()])(group(count.s(), echo.s(), health())), come_of),
    "options": (
        lambda: chain(health(), add.si(1, 1).set(countdown=0.2, priority=3), health().set(priority=9, expires=60))(),
        come_of,
    ),
    "plain group": (lambda: group(health(), add.s(1, 1), picture(3))(), come_of),
}

wanted = asked.get("only") or list(canvases)
sent = {name: canvases[name][0]() for name in wanted}
out = {}
for name, result in sent.items():
    try:
        out[name] = canvases[name][1](result)
    except Exception as error:
        out[name] = f"client: {error!r}"
json.dump(out, sys.stdout)
