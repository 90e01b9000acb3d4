"""Twenty mistakes, each on a line that says so: a type checker must find them, and nothing else."""

from __future__ import annotations

from celery import Celery

from model_generator import (
    Picture,
    ValidationError,
    batch_generate,
    check_worker,
    edit_model,
    estimate,
    generate_model,
    health_check,
    wait_for_batch,
    worth_trying_again,
)
from model_generator.testing import FakeWorker

app = Celery()
good = generate_model.s(gender="male", age_range="20-30", body_type="slim", pose="side", style="casual")

generate_model.s(gender="other", age_range="20-30", body_type="slim", pose="side", style="casual")  # MISTAKE
generate_model.s(gender="male", age_range="20-30", body_type="slim", pose="front-standing", style="casual")  # MISTAKE
generate_model.s(gender="male", age_range="20-30", body_type="slim", pose="side")  # MISTAKE
generate_model.s("male", "20-30", "slim", "side", "casual")  # MISTAKE
generate_model.s(gender="male", age_range=20, body_type="slim", pose="side", style="casual")  # MISTAKE
generate_model.s(gender="male", age_range="20-30", body_type="slim", pose="side", style="casual", colour="red")  # MISTAKE
generate_model.s(gender="male", age_range="20-30", body_type="slim", pose="side", style="casual", seed="7")  # MISTAKE
generate_model.s(gender="male", age_range="20-30", body_type="slim", pose="side", style="casual", metadata=[1])  # MISTAKE
edit_model.s(model_id="m")  # MISTAKE
edit_model.s(prompt="red", strength="strong")  # MISTAKE
edit_model.s(prompt="red", model={"template_id": "t"})  # MISTAKE
batch_generate.s(count="5")  # MISTAKE
batch_generate.s(count=5, gender=["male", "other"])  # MISTAKE
batch_generate.s(templates=[{"gender": "male"}])  # MISTAKE
health_check.delay(verbose=True)  # MISTAKE
good.delay().get(timeout="soon")  # MISTAKE


def address(picture: Picture) -> str:
    return picture["url"]  # MISTAKE


def width(picture: Picture) -> int:
    return picture["width"] + picture["prompt"]  # MISTAKE


def words(error: ValidationError) -> str:
    return error.fields + "!"  # MISTAKE


wait_for_batch(good.delay())  # MISTAKE
check_worker(timeout=3)
worth_trying_again(ValidationError("seed: is wrong"))
estimate(good)
FakeWorker(app)
