"""The App Server's Celery app, for the `celery` commands, for Flower, and as a stock worker beside ours."""

import json
import os
import time

from celery import Celery

app = Celery("app", broker=os.environ["BROKER"], backend=os.environ.get("BACKEND", os.environ["BROKER"]))
app.conf.task_default_queue = "generator_queue"
app.conf.broker_connection_retry_on_startup = True
app.conf.worker_prefetch_multiplier = 1
app.conf.task_acks_late = True
app.conf.broker_transport_options = {
    "visibility_timeout": int(os.environ.get("VISIBILITY", "3600")),
    **json.loads(os.environ.get("BROKER_OPTIONS", "{}")),
}
app.conf.timezone = os.environ.get("APP_TIMEZONE", "UTC")
app.conf.enable_utc = os.environ.get("ENABLE_UTC", "1") == "1"
app.conf.result_backend_transport_options = json.loads(os.environ.get("RESULT_OPTIONS", "{}"))


@app.task(name="health_check")
def health_check(**kwargs):
    return {"by": "stock", **kwargs}


@app.task(name="generate_model")
def generate_model(**kwargs):
    time.sleep(float(os.environ.get("SECONDS_A_TASK", "0")))
    return {"by": "stock"}
