"""An application of ours, as its checkers see it."""

from __future__ import annotations

from decimal import Decimal
from typing import Dict, List

from celery import Celery, chain, group

from model_generator import (
    Gender,
    GenerationError,
    Picture,
    PictureFlagged,
    Template,
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

app = Celery(broker="redis://localhost:6379/4", backend="redis://localhost:6379/5")


def address(picture: Picture) -> str:
    return picture["thumbnail_url"] or picture["image_url"]


def one(gender: Gender) -> str:
    call = generate_model.s(
        gender=gender, age_range="25-35", body_type="average", pose="front standing", style="professional", seed=7
    )
    try:
        return address(call.set(priority=3, headers={"x-caller": "studio"}).delay().get(timeout=300))
    except ValidationError as error:
        wrong: Dict[str, str] = error.fields
        return ", ".join(wrong)
    except (GenerationError, PictureFlagged) as error:
        return "again" if worth_trying_again(error) else error.retry


def red(model_id: str) -> Picture:
    return edit_model.delay(model_id=model_id, prompt="the same person in a red suit", strength=0.8).get(timeout=300)


def both() -> object:
    first = generate_model.s(gender="male", age_range="20-30", body_type="slim", pose="side", style="casual")
    typed = first | edit_model.s(prompt="in red")
    version = typed.delay().get(timeout=600)["version"]
    return version, chain(first, edit_model.s(prompt="in blue")), group([first, first])


def many() -> List[str]:
    template: Template = {
        "gender": "female",
        "age_range": "30-40",
        "body_type": "athletic",
        "pose": "walking",
        "style": "editorial",
        "metadata": {"shoot": 12},
    }
    cost: Decimal = estimate(batch_generate.s(templates=[template, template])).most_usd
    outcome = wait_for_batch(
        batch_generate.delay(count=5, gender=["male", "female"], pose="side", missing_only=False), timeout=600
    )
    return [str(cost), *outcome.failures, *(address(picture) for picture in outcome.pictures)]


def healthy() -> bool:
    health = health_check.delay().get(timeout=5)
    return check_worker(health) and health["checks"]["redis"]["ok"]


def test_one() -> None:
    with FakeWorker(app) as worker:
        worker.fail("generate_model", PictureFlagged("flagged"))
        assert one("female") == "changed"
        assert one("female").startswith("https://example.invalid/")
        assert [task for task, _ in worker.calls] == ["generate_model", "generate_model"]
