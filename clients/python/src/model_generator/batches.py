"""Waiting for the pictures of a batch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, cast

from celery import current_app
from celery.exceptions import TimeoutError
from celery.result import AsyncResult

from .calls import Result
from .results import Batch, Picture


@dataclass(frozen=True)
class BatchOutcome:
    """What became of each picture of a batch, in the batch's order."""

    pictures: List[Picture]
    failures: Dict[str, BaseException]
    """Exceptions by the id of the task that failed with them."""


def wait_for_batch(
    batch: Result[Batch],
    timeout: Optional[float] = None,
    *,
    on_picture: Optional[Callable[[Picture], object]] = None,
    interval: float = 0.5,
    app: Optional[Any] = None,
) -> BatchOutcome:
    """Waits until every picture of a batch is made or has failed.

    Works in any process, also in the one that sent the batch, where Celery's own `GroupResult.get` may never return: it
    subscribes to results that have been told before. Here the results are read, all at once, every `interval` seconds.
    Raises `celery.exceptions.TimeoutError` when `timeout` seconds have passed.
    """
    end = None if timeout is None else time.monotonic() + timeout
    parent = cast(Any, batch)
    value: Batch = parent.get(timeout=timeout)
    owner = app or getattr(parent, "app", None) or current_app
    ids = value["task_ids"]
    metas: Dict[str, Any] = {}
    while True:
        for task_id in [one for one in ids if one not in metas]:
            meta = owner.backend.get_task_meta(task_id, cache=False)
            if meta["status"] not in ("SUCCESS", "FAILURE", "REVOKED"):
                continue
            metas[task_id] = meta
            if meta["status"] == "SUCCESS" and on_picture is not None:
                on_picture(meta["result"])
        if len(metas) == len(ids):
            break
        if end is not None and time.monotonic() >= end:
            raise TimeoutError(f"{len(ids) - len(metas)} of {len(ids)} pictures are not made after {timeout} s")
        time.sleep(interval if end is None else max(0.0, min(interval, end - time.monotonic())))
    failures: Dict[str, BaseException] = {}
    for task_id in ids:
        if metas[task_id]["status"] != "SUCCESS":
            failures[task_id] = AsyncResult(task_id, app=owner).result
    return BatchOutcome([metas[one]["result"] for one in ids if one not in failures], failures)
