"""A stock Celery worker with the two tasks the bench runs, as plain as they can be."""

import os

from celery import Celery

app = Celery(
    "bench",
    broker=os.environ["CELERY_BROKER_URL"],
    backend=os.environ["CELERY_RESULT_BACKEND"],
)
app.conf.update(
    task_default_queue="generator_queue",
    worker_prefetch_multiplier=1,
    task_acks_late=os.environ.get("BENCH_ACKS_LATE") == "1",
)


@app.task(name="health_check")
def health_check():
    return {"status": "healthy"}


@app.task(name="generate_model")
def generate_model(**kwargs):
    import fal_client

    # fal's own client knows only https hosts; this one speaks to the simulator.
    fal_client.client.QUEUE_URL_FORMAT = os.environ["FAL_BASE_URL"] + "/"
    prompt = "Fashion model, {gender}, {age_range} years old".format(**kwargs)
    return fal_client.subscribe(
        "fal-ai/flux/dev",
        {"prompt": prompt, "image_size": "portrait_4_3", "seed": kwargs.get("seed")},
    )
