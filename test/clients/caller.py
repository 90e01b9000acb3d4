"""A caller with the package, at a real worker: prints what came of it."""

import json
import os
import sys
import warnings

from celery import Celery, chain, chord, group
from model_generator import (
    ContractMismatch,
    ValidationError,
    VersionExists,
    batch_generate,
    check_worker,
    edit_model,
    generate_model,
    health_check,
    wait_for_batch,
    worth_trying_again,
)

app = Celery(broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
five = {"gender": "female", "age_range": "25-35", "body_type": "average", "pose": "front standing", "style": "professional"}
said = {}

edited = chain(generate_model.s(**five), edit_model.s(prompt="in red")).delay()
said["version"] = edited.get(timeout=60)["version"]

template = "female_25-35_average_front-standing_professional"
three = group(generate_model.s(**five, seed=seed) for seed in range(3)).apply_async()
said["group"] = sorted(picture["seed"] for picture in three.get(timeout=60))
header = [generate_model.s(**five), generate_model.s(**five)]
said["chord"] = chord(header, edit_model.si(template_id=template, prompt="in blue")).apply_async().get(timeout=60)["prompt"]

try:
    generate_model.delay(**five, version=1).get(timeout=60)
except VersionExists as error:
    said["exists"] = [type(error).__module__, error.retry, worth_trying_again(error)]

try:
    app.send_task("generate_model", kwargs={**five, "gender": "other", "seed": -1}, queue="generator_queue").get(timeout=60)
except ValidationError as error:
    said["fields"] = sorted(error.fields)

pictures = []
batch = batch_generate.delay(count=5, pose="side", missing_only=False)
batch.get(timeout=60)
outcome = wait_for_batch(batch, timeout=60, interval=0.1, on_picture=pictures.append)
said["batch"] = [len(outcome.pictures), len(pictures), len(outcome.failures)]

said["same"] = check_worker(timeout=60)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    other = {**health_check.delay().get(timeout=60), "contract": "0.9.0-another"}
    said["other"] = [check_worker(other), [one.category is ContractMismatch for one in caught]]

json.dump(said, sys.stdout)
