"""Which failures are worth trying again."""

from __future__ import annotations

from ._contract import FAILURES


def worth_trying_again(error: BaseException) -> bool:
    """Whether the same call, sent once more as a new task, may succeed.

    False where it would fail the same way, or where the picture is paid and the failure says where it is.
    """
    advice = FAILURES.get(type(error).__name__)
    if advice is None or advice["retry"] != "yes":
        return False
    return not any(words in str(error) for words in advice["unless"])
