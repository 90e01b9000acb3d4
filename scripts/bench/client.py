"""The same Python client for all workers that speak Celery. Prints one JSON document."""

import json
import os
import sys
import time
from datetime import datetime, timedelta, timezone

from celery import Celery

app = Celery(
    "client",
    broker=os.environ["CELERY_BROKER_URL"],
    backend=os.environ["CELERY_RESULT_BACKEND"],
)
app.conf.task_default_queue = "generator_queue"


def model(n):
    """Arguments of a picture: no two of the first 1,500 are of one template."""
    age_range = f"{20 + n % 40}-{60 + n // 40 % 39}"
    return dict(gender="female", age_range=age_range, body_type="average", pose="walking", style="casual", seed=n)


def call(name, **kwargs):
    before = time.perf_counter()
    app.send_task(name, kwargs=kwargs).get(timeout=60)
    return (time.perf_counter() - before) * 1000


def round_trips(count):
    for _ in range(20):
        call("health_check")
    return [call("health_check") for _ in range(count)]


def pictures(count):
    return [call("generate_model", **model(n)) for n in range(count)]


def enqueue(count):
    for _ in range(count):
        app.send_task("health_check")


def enqueue_for_tomorrow(count):
    for _ in range(count):
        app.send_task("health_check", eta=datetime.now(timezone.utc) + timedelta(days=1))


def enqueue_pictures(count):
    for n in range(count):
        app.send_task("generate_model", kwargs=model(n))


COMMANDS = {
    "roundtrip": round_trips,
    "pictures": pictures,
    "enqueue": enqueue,
    "enqueue-for-tomorrow": enqueue_for_tomorrow,
    "enqueue-pictures": enqueue_pictures,
}
print(json.dumps(COMMANDS[sys.argv[1]](int(sys.argv[2]))))
