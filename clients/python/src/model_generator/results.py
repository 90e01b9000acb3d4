"""Written by `npm run clients`."""

from __future__ import annotations

from typing import Any, List, Literal, Optional, TypedDict


class _Picture(TypedDict, total=False):
    cost_usd: float
    cost_source: Literal["estimate", "units"]
    note: str


class Picture(_Picture):
    """What `generate_model` and `edit_model` give."""

    status: Literal["completed"]
    id: Optional[str]
    template_id: str
    version: Optional[int]
    image_url: str
    thumbnail_url: Optional[str]
    gender: Optional[str]
    age_range: Optional[str]
    body_type: Optional[str]
    pose: Optional[str]
    style: Optional[str]
    prompt: Optional[str]
    seed: Optional[int]
    width: Optional[int]
    height: Optional[int]
    fal_request_id: str
    processing_time_ms: Optional[int]
    saved: bool


class Batch(TypedDict):
    """What `batch_generate` gives."""

    group_id: str
    task_ids: List[str]
    count: int
    templates: List[str]


class _Check(TypedDict, total=False):
    error: str


class Check(_Check):
    """How a dependency of the worker looks."""

    ok: bool
    latency_ms: float


class Checks(TypedDict):
    """What a worker depends on."""

    redis: Check
    database: Check
    fal: Check


class Health(TypedDict):
    """What `health_check` gives."""

    status: Literal["healthy", "degraded", "unhealthy"]
    worker: str
    version: str
    contract: str
    uptime_s: int
    processed: int
    checks: Checks
