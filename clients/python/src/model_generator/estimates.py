"""What calls cost, by fal's list prices, without asking anybody."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Optional, cast

from ._contract import PRICES
from .calls import Signature

_NANO = Decimal(1_000_000_000)


@dataclass(frozen=True)
class Estimate:
    """In US dollars. `most` is what a budget must have left; an edit's price depends on the size of its source."""

    pictures: int
    likely_usd: Decimal
    most_usd: Decimal


def estimate(call: Signature[Any], *, model: Optional[str] = None) -> Estimate:
    """What a call costs at most: a batch of missing combinations may make fewer pictures.

    `model` is the worker's `FAL_MODEL` or `FAL_EDIT_MODEL`; left out, the default. Raises `KeyError` for a model whose price
    is not known, or that does not make this kind of picture.
    """
    signature = cast(Any, call)
    task: str = signature["task"]
    kwargs = signature["kwargs"]
    if task == "health_check":
        return Estimate(0, Decimal(0), Decimal(0))
    templates = kwargs.get("templates")
    pictures = 1 if task != "batch_generate" else len(templates) if templates is not None else kwargs["count"]
    kind = "edit" if task == "edit_model" else "generate"
    price = PRICES[kind][model or PRICES["default"][kind]]
    return Estimate(pictures, pictures * price["likely"] / _NANO, pictures * price["most"] / _NANO)
