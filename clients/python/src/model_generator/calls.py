"""Celery's signatures and results, with the type of what a task gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Generic, Mapping, Optional, TypeVar, Union, cast

import celery
from celery.canvas import Signature as _Signature
from celery.result import AsyncResult as _AsyncResult

from .checking import check

if TYPE_CHECKING:
    from datetime import datetime

    R = TypeVar("R")
    R2 = TypeVar("R2")

    class Result(Generic[R]):
        """Celery's `AsyncResult`."""

        id: str
        @property
        def state(self) -> str: ...
        def get(self, timeout: Optional[float] = None, *, propagate: bool = True) -> R:
            """The task's value. Raises what the task failed with, or `celery.exceptions.TimeoutError`."""
            ...
        def ready(self) -> bool: ...
        def successful(self) -> bool: ...
        def failed(self) -> bool: ...
        def revoke(self, *, terminate: bool = False) -> None:
            """Cancels the task; `terminate` also when it is running, which cancels its request at fal."""
            ...
        def forget(self) -> None: ...

    class Signature(Generic[R]):
        """Celery's `Signature`: goes into `chain`, `group` and `chord` as it is."""

        def delay(self) -> Result[R]:
            """Sends the task."""
            ...
        def apply_async(
            self,
            *,
            countdown: Optional[float] = None,
            eta: Optional[datetime] = None,
            expires: Union[float, datetime, None] = None,
            priority: Optional[int] = None,
            queue: Optional[str] = None,
            headers: Optional[Mapping[str, str]] = None,
            task_id: Optional[str] = None,
            link: object = None,
            link_error: object = None,
        ) -> Result[R]: ...
        def set(
            self,
            *,
            countdown: Optional[float] = None,
            eta: Optional[datetime] = None,
            expires: Union[float, datetime, None] = None,
            priority: Optional[int] = None,
            queue: Optional[str] = None,
            headers: Optional[Mapping[str, str]] = None,
        ) -> Signature[R]: ...
        def __or__(self, other: Signature[R2]) -> Signature[R2]: ...

else:
    Signature = _Signature
    Result = _AsyncResult

QUEUE = "generator_queue"


def signature(task: str, arguments: Mapping[str, Any], *, immutable: bool) -> Any:
    """A signature whose arguments the worker takes; raises `ValidationError` where it would not. Left out is what is `None`."""
    kwargs: Dict[str, Any] = {name: value for name, value in arguments.items() if value is not None}
    check(task, kwargs, partial=not immutable)
    return cast(Any, celery).signature(
        task, kwargs=kwargs, immutable=immutable, options={"queue": QUEUE, "serializer": "json"}
    )
