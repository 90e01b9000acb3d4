"""The same Python client for both workers. Prints one JSON document."""

import json
import os
import sys
import time

from celery import Celery

app = Celery(
    "client",
    broker=os.environ["CELERY_BROKER_URL"],
    backend=os.environ["CELERY_RESULT_BACKEND"],
)
app.conf.task_default_queue = "generator_queue"

FIVE = dict(gender="female", age_range="25-35", body_type="average", pose="walking", style="casual")


def call(name, **kwargs):
    before = time.perf_counter()
    app.send_task(name, kwargs=kwargs).get(timeout=60)
    return (time.perf_counter() - before) * 1000


def round_trips(count):
    for _ in range(20):
        call("health_check")
    return [call("health_check") for _ in range(count)]


def backlog(count):
    """Milliseconds from the last message queued to the last result stored."""
    with app.producer_pool.acquire(block=True) as producer:
        results = [app.send_task("health_check", producer=producer) for _ in range(count)]
    client = app.backend.client
    client.set("bench:queued", "1")
    before = time.perf_counter()
    keys = [app.backend.get_key_for_task(result.id) for result in results]
    while client.exists(*keys) < count:
        time.sleep(0.005)
    return (time.perf_counter() - before) * 1000


def pictures(count):
    return [call("generate_model", seed=n, **FIVE) for n in range(count)]


print(json.dumps({"roundtrip": round_trips, "backlog": backlog, "pictures": pictures}[sys.argv[1]](int(sys.argv[2]))))
