"""A stock Celery worker's tasks, on a queue of their own, for canvases that go back and forth between its worker and ours."""

import os

from celery import Celery

app = Celery("theirs", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
app.conf.task_default_queue = "theirs"


@app.task(name="theirs.echo")
def echo(*args):
    return list(args)


@app.task(name="theirs.add")
def add(x, y):
    return x + y


@app.task(name="theirs.count")
def count(values):
    return len(values)


@app.task(name="theirs.total")
def total(values):
    return sum(values)


@app.task(name="theirs.fail")
def fail(*args):
    raise ValueError("boom")


@app.task(name="theirs.note")
def note(task_id):
    """An errback: leaves word of which task it was told of."""
    app.backend.client.rpush(f"noted:{task_id}", task_id)
    return task_id


if os.environ.get("STAND_IN"):
    # A stock worker in the place of ours, to see what it makes of the same canvases.

    class ValidationError(Exception):
        pass

    @app.task(name="health_check")
    def health_check():
        return {"uptime_s": 1}

    @app.task(name="generate_model")
    def generate_model(seed=None, surprise=None, **five):
        if surprise is not None:
            raise ValidationError("surprise: is not an argument of this task")
        return {"template_id": "picture"}

    @app.task(name="edit_model")
    def edit_model(model, prompt):
        return model
