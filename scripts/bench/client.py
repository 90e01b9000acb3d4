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


def enqueue(count):
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(count):
            app.send_task("health_check", producer=producer)
    return count


def pictures(count):
    return [call("generate_model", seed=n, **FIVE) for n in range(count)]


print(json.dumps({"roundtrip": round_trips, "enqueue": enqueue, "pictures": pictures}[sys.argv[1]](int(sys.argv[2]))))
