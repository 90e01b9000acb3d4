"""A worker for the tests of a caller: answers in the process, without Redis, PostgreSQL or fal, and spends nothing."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any, Dict, List, Optional, Tuple, cast

from celery import current_app

from ._contract import CONTRACT, TASKS, VERSION
from .checking import check
from .results import Batch, Health, Picture

_FIVE = ("gender", "age_range", "body_type", "pose", "style")
_CONF = {
    "task_always_eager": True,
    "task_store_eager_result": True,
    "task_eager_propagates": False,
}


class FakeWorker:
    """Runs the four tasks at once where they are called, while it is entered.

        with FakeWorker(app) as worker:
            worker.fail("generate_model", PictureFlagged("..."))
            ...
        assert worker.calls == [("generate_model", {...})]

    It checks arguments as the worker does, numbers versions, and makes up addresses below https://example.invalid/.
    Chains, groups, chords and `wait_for_batch` work. `app` is by default Celery's current one.
    """

    def __init__(self, app: Optional[Any] = None) -> None:
        self._app: Any = app if app is not None else current_app._get_current_object()
        self.calls: List[Tuple[str, Dict[str, Any]]] = []
        self._failures: Dict[str, List[BaseException]] = {}
        self._versions: Dict[str, int] = {}

    def fail(self, task: str, error: BaseException) -> None:
        """The next call of this task fails with `error`; more calls of `fail` are for the calls after it."""
        if task not in TASKS:
            raise KeyError(task)
        self._failures.setdefault(task, []).append(error)

    def __enter__(self) -> FakeWorker:
        app = self._app
        self._before = {name: app.conf[name] for name in _CONF}
        self._backend = (app.backend_cls, app._backend_cache, vars(app._local).pop("backend", None))
        app.conf.update(_CONF)
        app.backend_cls, app._backend_cache = "cache+memory://", None
        self._names = [
            (f"{prefix}{name}", app.tasks.get(f"{prefix}{name}"))
            for name in TASKS
            for prefix in ("", "app.tasks.", "tasks.")
        ]
        for name, _ in self._names:
            app.tasks.pop(name, None)
            self._register(name, name.rsplit(".", 1)[-1])
        return self

    def __exit__(self, *_: object) -> None:
        app = self._app
        app.conf.update(self._before)
        app.backend_cls, app._backend_cache, own = self._backend
        vars(app._local).pop("backend", None)
        if own is not None:
            app._local.backend = own
        for name, task in self._names:
            app.tasks.pop(name, None)
            if task is not None:
                app.tasks[name] = task

    def _register(self, name: str, short: str) -> None:
        def run(*args: Any, **kwargs: Any) -> Any:
            return self._answer(short, args, kwargs)

        self._app.task(run, name=name, shared=False)

    def _answer(self, task: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
        names = TASKS[task]["arguments"]
        lone = args[0] if len(args) == 1 and isinstance(args[0], dict) else None
        if lone is not None and (task != "edit_model" or (not kwargs and set(lone) <= set(names))):
            arguments = {**lone, **kwargs}
        else:
            arguments = {**dict(zip(names, args)), **kwargs}
        self.calls.append((task, arguments))
        waiting = self._failures.get(task)
        if waiting:
            raise waiting.pop(0)
        check(task, arguments)
        if task == "generate_model":
            return self._picture(arguments, {name: arguments[name] for name in _FIVE}, _prompt(arguments))
        if task == "edit_model":
            return self._edit(arguments)
        if task == "batch_generate":
            return self._batch(arguments)
        return _health()

    def _picture(self, arguments: Dict[str, Any], five: Dict[str, Any], prompt: str) -> Picture:
        saves = arguments.get("save", True)
        template = arguments.get("template_id") or "_".join(str(five[name]).replace(" ", "-") for name in _FIVE)
        version = arguments.get("version") or self._versions.get(template, 0) + 1
        if saves:
            self._versions[template] = max(version, self._versions.get(template, 0))
        url = f"https://example.invalid/{hashlib.sha256(f'{template} {version}'.encode()).hexdigest()}.jpg"
        return cast(
            Picture,
            {
                "status": "completed",
                "id": str(uuid.uuid4()) if saves else None,
                "template_id": template,
                "version": version if saves else arguments.get("version"),
                "image_url": url,
                "thumbnail_url": url,
                **five,
                "prompt": prompt,
                "seed": arguments["seed"] if arguments.get("seed") is not None else 7,
                "width": 768,
                "height": 1024,
                "fal_request_id": str(uuid.uuid4()),
                "processing_time_ms": 1,
                "saved": saves,
                "cost_usd": 0.025,
                "cost_source": "estimate",
            },
        )

    def _edit(self, arguments: Dict[str, Any]) -> Picture:
        model = arguments.get("model")
        known: Dict[str, Any] = model if isinstance(model, dict) else {}
        template = known.get("template_id") or arguments.get("template_id") or "female_25-35_average_side_casual"
        five = {name: known.get(name) for name in _FIVE}
        return self._picture({**arguments, "template_id": template, "version": None}, five, arguments["prompt"])

    def _batch(self, arguments: Dict[str, Any]) -> Batch:
        templates = arguments.get("templates")
        if templates is None:
            presets = TASKS["generate_model"]["presets"]
            first = {name: arguments.get(name) or presets[name] for name in _FIVE}
            values = {name: value if isinstance(value, (list, tuple)) else [value] for name, value in first.items()}
            templates = [
                {name: choice[at % len(choice)] for name, choice in values.items()} for at in range(arguments["count"])
            ]
        ids = [str(uuid.uuid4()) for _ in templates]
        pictures = []
        for task_id, template in zip(ids, templates):
            given = {"save": arguments.get("save", True), **{name: one for name, one in template.items() if one is not None}}
            result = self._app.tasks["generate_model"].apply(kwargs=given, task_id=task_id)
            state = result.state
            self._app.backend.store_result(task_id, result.result, state)
            pictures.append(template.get("template_id") or "_".join(template[name].replace(" ", "-") for name in _FIVE))
        group = str(uuid.uuid4())
        self._app.backend.save_group(group, self._app.GroupResult(group, [self._app.AsyncResult(one) for one in ids]))
        return {"group_id": group, "task_ids": ids, "count": len(ids), "templates": pictures}


def _prompt(arguments: Dict[str, Any]) -> str:
    return f"Fashion model, {arguments['gender']}, {arguments['age_range']} years old"


def _health() -> Health:
    fine = {"ok": True, "latency_ms": 1}
    return cast(
        Health,
        {
            "status": "healthy",
            "worker": "celery@fake",
            "version": VERSION,
            "contract": CONTRACT,
            "uptime_s": 1,
            "processed": 0,
            "checks": {"redis": fine, "database": fine, "fal": fine},
        },
    )
