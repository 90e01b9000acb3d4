"""Typed calls of the model-generator worker's Celery tasks.

    from celery import Celery
    from model_generator import generate_model

    app = Celery(broker="redis://...", backend="redis://...")
    picture = generate_model.s(gender="female", age_range="25-35", body_type="average",
                               pose="front standing", style="professional").delay().get(timeout=300)
"""

from ._contract import CONTRACT, VERSION
from .batches import BatchOutcome, wait_for_batch
from .calls import Result, Signature
from .contract import ContractMismatch, check_worker
from .errors import (
    ContentRefused,
    GenerationError,
    InternalError,
    LibraryError,
    MediaError,
    ModelNotFound,
    PictureFlagged,
    PictureUnusable,
    TaskError,
    ValidationError,
    VersionExists,
)
from .estimates import Estimate, estimate
from .failures import worth_trying_again
from .results import Batch, Check, Checks, Health, Picture
from .tasks import (
    BodyType,
    Gender,
    Model,
    Pose,
    Style,
    Template,
    batch_generate,
    edit_model,
    generate_model,
    health_check,
)

__all__ = [
    "CONTRACT",
    "VERSION",
    "Batch",
    "BatchOutcome",
    "BodyType",
    "Check",
    "Checks",
    "ContentRefused",
    "ContractMismatch",
    "Estimate",
    "Gender",
    "GenerationError",
    "Health",
    "InternalError",
    "LibraryError",
    "MediaError",
    "Model",
    "ModelNotFound",
    "Picture",
    "PictureFlagged",
    "PictureUnusable",
    "Pose",
    "Result",
    "Signature",
    "Style",
    "TaskError",
    "Template",
    "ValidationError",
    "VersionExists",
    "batch_generate",
    "check_worker",
    "edit_model",
    "estimate",
    "generate_model",
    "health_check",
    "wait_for_batch",
    "worth_trying_again",
]
