"""The stock side of the oracle: our tasks' doubles, and general ones that `programs.ts` has too."""

import os
import re
import sys
import time
import types

from celery import Celery, group

errors = types.ModuleType("model_generator.errors")
sys.modules["model_generator"] = types.ModuleType("model_generator")
sys.modules["model_generator.errors"] = errors
for _name in ("ValidationError", "Boom", "Flaky"):
    setattr(errors, _name, type(_name, (Exception,), {"__module__": "model_generator.errors"}))

QUEUE = "generator_queue"
app = Celery("oracle", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
app.conf.task_default_queue = QUEUE
app.conf.broker_connection_retry_on_startup = True
app.conf.worker_prefetch_multiplier = 1
app.conf.task_acks_late = True
app.conf.worker_send_task_events = True
app.conf.result_extended = app.conf.task_track_started = os.environ.get("TELLING") == "all"


@app.task(name="oracle.echo")
def echo(*args, **kwargs):
    return [list(args), kwargs] if kwargs else list(args)


@app.task(name="oracle.one")
def one(value=None, *rest):
    return value


@app.task(name="oracle.count")
def count(*args):
    return len(args)


@app.task(name="oracle.note")
def note(task_id):
    return task_id


@app.task(name="oracle.fail")
def fail(*args, type="ValueError", messages=("boom",)):
    import builtins

    raise (getattr(builtins, type, None) or getattr(errors, type))(*messages)


@app.task(name="oracle.flaky", bind=True, max_retries=5)
def flaky(self, *args, times):
    if self.request.retries < times:
        raise self.retry(exc=errors.Flaky(f"try {self.request.retries}"), countdown=0.1)
    return self.request.retries


@app.task(name="oracle.later", bind=True, max_retries=5)
def later(self, *args, **kwargs):
    raise self.retry(exc=errors.Flaky("not now"), countdown=3600)


@app.task(name="oracle.sleep")
def sleep(*args, seconds):
    time.sleep(seconds)
    return seconds


FIVE = {
    "gender": r"male|female",
    "age_range": r"[2-9]\d-[2-9]\d",
    "body_type": r"slim|average|athletic|plus-size",
    "pose": r"front standing|side|walking|sitting",
    "style": r"professional|casual|editorial",
}
NAMES = ["template_id", *FIVE, "version", "seed", "save", "metadata"]


def bind(names, args, kwargs):
    if len(args) == 1 and isinstance(args[0], dict):
        kwargs, args = {**args[0], **kwargs}, ()
    if len(args) > len(names):
        raise errors.ValidationError(f"args: expected at most {len(names)} positional arguments, got {len(args)}")
    given = {**dict(zip(names, args)), **kwargs}
    return given, [name for name in given if name not in names]


def refuse(bad):
    if bad:
        raise errors.ValidationError("; ".join(f"{name}: is wrong" for name in bad))


@app.task(name="health_check")
def health_check():
    check = {"ok": True, "latency_ms": 1}
    checks = {"redis": check, "database": check, "fal": check}
    about = {"worker": "w", "version": "1", "contract": "1", "uptime_s": 1, "processed": 1}
    return {"status": "healthy", **about, "checks": checks}


@app.task(name="generate_model")
def generate_model(*args, **kwargs):
    given, bad = bind(NAMES, args, kwargs)
    bad += [name for name, good in FIVE.items() if not re.fullmatch(good, str(given.get(name, "")))]
    refuse(bad)
    five = {name: given[name] for name in FIVE}
    template = given.get("template_id") or "_".join(value.replace(" ", "-") for value in five.values())
    saved = given.get("save", True)
    prompt = (
        f"Fashion model, {five['gender']}, {five['age_range']} years old, body type: {five['body_type']}, "
        f"pose: {five['pose']}, style: {five['style']} photo, full body shot, neutral white/gray background, "
        "professional studio lighting, high quality, 8k, detailed, clean composition"
    )
    return {
        "status": "completed",
        "id": "made" if saved else None,
        "template_id": template,
        "version": 1 if saved else None,
        "image_url": "made",
        "thumbnail_url": "made",
        **five,
        "prompt": prompt,
        "seed": given.get("seed"),
        "width": 768,
        "height": 1024,
        "fal_request_id": "made",
        "processing_time_ms": 1,
        "saved": saved,
        "cost_usd": 0.025,
        "cost_source": "units",
    }


@app.task(name="edit_model")
def edit_model(model=None, prompt=None, save=True):
    if prompt is None:
        refuse(["prompt"])
    if not isinstance(model, dict):
        refuse(["model"])
    made = {name: model[name] for name in ("template_id", *FIVE)}
    return {
        **model,
        **made,
        "prompt": prompt,
        "id": "made" if save else None,
        "version": 2 if save else None,
        "saved": save,
    }


@app.task(name="batch_generate")
def batch_generate(*args, **kwargs):
    given, bad = bind(["count", "templates", "save"], args, kwargs)
    templates = given.get("templates")
    if not templates and "count" not in given:
        bad.append("count")
    refuse(bad)
    save = given.get("save", True)
    sent = group(generate_model.s(**{**template, "save": save}) for template in templates).apply_async()
    sent.save()
    names = ["_".join(template[name].replace(" ", "-") for name in FIVE) for template in templates]
    return {"group_id": sent.id, "task_ids": [one.id for one in sent], "count": len(templates), "templates": names}
