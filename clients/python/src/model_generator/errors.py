"""Written by `npm run clients`."""

from __future__ import annotations

import re
from typing import Dict, Literal


class TaskError(Exception):
    """A task of the worker failed. Celery makes the class that the worker named, if this module is imported."""

    retry: Literal["yes", "changed", "no"] = "no"
    """Whether the same call may succeed as a new task; `changed`: only with other arguments."""


class ValidationError(TaskError):
    """Arguments are wrong; the message names each. Nothing was paid."""

    retry = "changed"

    @property
    def fields(self) -> Dict[str, str]:
        """What is wrong, by the path of each argument, as in `templates.0.gender`."""
        found = re.split(r"(?:^|; )([\w.-]+): ", str(self))
        return dict(zip(found[1::2], found[2::2]))


class VersionExists(TaskError):
    """The version asked for exists. Nothing was paid."""

    retry = "changed"


class ModelNotFound(TaskError):
    """The picture to edit is not in the library. Nothing was paid."""

    retry = "no"


class ContentRefused(TaskError):
    """fal will not make this picture, in fal's own words."""

    retry = "changed"


class PictureFlagged(TaskError):
    """fal's safety checker flagged the picture. It is paid, never saved."""

    retry = "changed"


class PictureUnusable(TaskError):
    """fal's file is no picture, is not the one that was paid for, or was recalled."""

    retry = "changed"


class MediaError(TaskError):
    """The stored picture to edit is gone or too large, or fal's file stays out of reach."""

    retry = "yes"


class GenerationError(TaskError):
    """fal made no picture: busy or broken for longer than the retries, or its reply was lost."""

    retry = "yes"


class LibraryError(TaskError):
    """PostgreSQL refused the row or the question, after the retries."""

    retry = "yes"


class InternalError(TaskError):
    """A defect of the worker: its log has the cause."""

    retry = "no"
