"""Whether package and worker speak of the same tasks."""

from __future__ import annotations

import warnings
from typing import Optional

from ._contract import CONTRACT
from .results import Health


class ContractMismatch(UserWarning):
    """The worker has another contract than this package: its tasks, arguments or results may differ."""


def check_worker(health: Optional[Health] = None, timeout: float = 10) -> bool:
    """Asks a worker for its contract, or reads it from what `health_check` gave. Warns and gives False where it is another."""
    from .tasks import health_check

    answer = health_check.delay().get(timeout=timeout) if health is None else health
    theirs = answer.get("contract", "an older one")
    if theirs == CONTRACT:
        return True
    warnings.warn(
        f"the worker {answer['worker']} has contract {theirs}, this package {CONTRACT}: install the worker's package",
        ContractMismatch,
        stacklevel=2,
    )
    return False
