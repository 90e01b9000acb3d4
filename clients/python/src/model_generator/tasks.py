"""Written by `npm run clients`."""

from __future__ import annotations

from typing import Any, Dict, Literal, Optional, Sequence, TypedDict, Union, cast

from .calls import Result, Signature, signature
from .results import Batch, Health, Picture

Gender = Literal["male", "female"]
BodyType = Literal["slim", "average", "athletic", "plus-size"]
Pose = Literal["front standing", "side", "walking", "sitting"]
Style = Literal["professional", "casual", "editorial"]


class _Model(TypedDict, total=False):
    id: Optional[str]
    version: Optional[int]
    gender: Optional[str]
    age_range: Optional[str]
    body_type: Optional[str]
    pose: Optional[str]
    style: Optional[str]


class Model(_Model):
    """A picture to edit, as far as `edit_model` looks at it."""

    template_id: str
    image_url: str


class _Template(TypedDict, total=False):
    template_id: Optional[str]
    version: Optional[int]
    seed: Optional[int]
    save: Optional[bool]
    metadata: Optional[Dict[str, Any]]


class Template(_Template):
    """One picture of a batch."""

    gender: Gender
    age_range: str
    body_type: BodyType
    pose: Pose
    style: Style


class GenerateModel:
    """Makes one picture and saves it as a template's next version."""

    name = "generate_model"

    def s(
        self,
        *,
        gender: Gender,
        age_range: str,
        body_type: BodyType,
        pose: Pose,
        style: Style,
        template_id: Optional[str] = None,
        version: Optional[int] = None,
        seed: Optional[int] = None,
        save: Optional[bool] = None,
        metadata: Optional[Dict[str, Any]] = None,
    ) -> Signature[Picture]:
        """A signature for a chain, a group or a chord; a chain may bring its first argument."""
        arguments: Dict[str, Any] = {
            "template_id": template_id,
            "gender": gender,
            "age_range": age_range,
            "body_type": body_type,
            "pose": pose,
            "style": style,
            "version": version,
            "seed": seed,
            "save": save,
            "metadata": metadata,
        }
        call = signature("generate_model", arguments, immutable=False)
        return cast("Signature[Picture]", call)

    def si(
        self,
        *,
        gender: Gender,
        age_range: str,
        body_type: BodyType,
        pose: Pose,
        style: Style,
        template_id: Optional[str] = None,
        version: Optional[int] = None,
        seed: Optional[int] = None,
        save: Optional[bool] = None,
        metadata: Optional[Dict[str, Any]] = None,
    ) -> Signature[Picture]:
        """A signature that takes nothing from the task before it in a chain."""
        arguments: Dict[str, Any] = {
            "template_id": template_id,
            "gender": gender,
            "age_range": age_range,
            "body_type": body_type,
            "pose": pose,
            "style": style,
            "version": version,
            "seed": seed,
            "save": save,
            "metadata": metadata,
        }
        call = signature("generate_model", arguments, immutable=True)
        return cast("Signature[Picture]", call)

    def delay(
        self,
        *,
        gender: Gender,
        age_range: str,
        body_type: BodyType,
        pose: Pose,
        style: Style,
        template_id: Optional[str] = None,
        version: Optional[int] = None,
        seed: Optional[int] = None,
        save: Optional[bool] = None,
        metadata: Optional[Dict[str, Any]] = None,
    ) -> Result[Picture]:
        """Sends the task."""
        arguments: Dict[str, Any] = {
            "template_id": template_id,
            "gender": gender,
            "age_range": age_range,
            "body_type": body_type,
            "pose": pose,
            "style": style,
            "version": version,
            "seed": seed,
            "save": save,
            "metadata": metadata,
        }
        call = signature("generate_model", arguments, immutable=True)
        return cast("Result[Picture]", call.delay())


class EditModel:
    """Edits a picture from a prompt and saves it as the next version of the same template."""

    name = "edit_model"

    def s(
        self,
        *,
        prompt: str,
        model: Optional[Union[str, Union[Picture, Model]]] = None,
        model_id: Optional[str] = None,
        template_id: Optional[str] = None,
        version: Optional[int] = None,
        strength: Optional[float] = None,
        seed: Optional[int] = None,
        save: Optional[bool] = None,
    ) -> Signature[Picture]:
        """A signature for a chain, a group or a chord; a chain may bring its first argument."""
        arguments: Dict[str, Any] = {
            "model": model,
            "prompt": prompt,
            "model_id": model_id,
            "template_id": template_id,
            "version": version,
            "strength": strength,
            "seed": seed,
            "save": save,
        }
        call = signature("edit_model", arguments, immutable=False)
        return cast("Signature[Picture]", call)

    def si(
        self,
        *,
        prompt: str,
        model: Optional[Union[str, Union[Picture, Model]]] = None,
        model_id: Optional[str] = None,
        template_id: Optional[str] = None,
        version: Optional[int] = None,
        strength: Optional[float] = None,
        seed: Optional[int] = None,
        save: Optional[bool] = None,
    ) -> Signature[Picture]:
        """A signature that takes nothing from the task before it in a chain."""
        arguments: Dict[str, Any] = {
            "model": model,
            "prompt": prompt,
            "model_id": model_id,
            "template_id": template_id,
            "version": version,
            "strength": strength,
            "seed": seed,
            "save": save,
        }
        call = signature("edit_model", arguments, immutable=True)
        return cast("Signature[Picture]", call)

    def delay(
        self,
        *,
        prompt: str,
        model: Optional[Union[str, Union[Picture, Model]]] = None,
        model_id: Optional[str] = None,
        template_id: Optional[str] = None,
        version: Optional[int] = None,
        strength: Optional[float] = None,
        seed: Optional[int] = None,
        save: Optional[bool] = None,
    ) -> Result[Picture]:
        """Sends the task."""
        arguments: Dict[str, Any] = {
            "model": model,
            "prompt": prompt,
            "model_id": model_id,
            "template_id": template_id,
            "version": version,
            "strength": strength,
            "seed": seed,
            "save": save,
        }
        call = signature("edit_model", arguments, immutable=True)
        return cast("Result[Picture]", call.delay())


class BatchGenerate:
    """Sends many `generate_model` tasks; by default the combinations the library lacks."""

    name = "batch_generate"

    def s(
        self,
        *,
        count: Optional[int] = None,
        templates: Optional[Sequence[Template]] = None,
        save: Optional[bool] = None,
        missing_only: Optional[bool] = None,
        seed: Optional[int] = None,
        gender: Optional[Union[Gender, Sequence[Gender]]] = None,
        age_range: Optional[Union[str, Sequence[str]]] = None,
        body_type: Optional[Union[BodyType, Sequence[BodyType]]] = None,
        pose: Optional[Union[Pose, Sequence[Pose]]] = None,
        style: Optional[Union[Style, Sequence[Style]]] = None,
    ) -> Signature[Batch]:
        """A signature for a chain, a group or a chord; a chain may bring its first argument."""
        arguments: Dict[str, Any] = {
            "count": count,
            "templates": templates,
            "save": save,
            "missing_only": missing_only,
            "seed": seed,
            "gender": gender,
            "age_range": age_range,
            "body_type": body_type,
            "pose": pose,
            "style": style,
        }
        call = signature("batch_generate", arguments, immutable=False)
        return cast("Signature[Batch]", call)

    def si(
        self,
        *,
        count: Optional[int] = None,
        templates: Optional[Sequence[Template]] = None,
        save: Optional[bool] = None,
        missing_only: Optional[bool] = None,
        seed: Optional[int] = None,
        gender: Optional[Union[Gender, Sequence[Gender]]] = None,
        age_range: Optional[Union[str, Sequence[str]]] = None,
        body_type: Optional[Union[BodyType, Sequence[BodyType]]] = None,
        pose: Optional[Union[Pose, Sequence[Pose]]] = None,
        style: Optional[Union[Style, Sequence[Style]]] = None,
    ) -> Signature[Batch]:
        """A signature that takes nothing from the task before it in a chain."""
        arguments: Dict[str, Any] = {
            "count": count,
            "templates": templates,
            "save": save,
            "missing_only": missing_only,
            "seed": seed,
            "gender": gender,
            "age_range": age_range,
            "body_type": body_type,
            "pose": pose,
            "style": style,
        }
        call = signature("batch_generate", arguments, immutable=True)
        return cast("Signature[Batch]", call)

    def delay(
        self,
        *,
        count: Optional[int] = None,
        templates: Optional[Sequence[Template]] = None,
        save: Optional[bool] = None,
        missing_only: Optional[bool] = None,
        seed: Optional[int] = None,
        gender: Optional[Union[Gender, Sequence[Gender]]] = None,
        age_range: Optional[Union[str, Sequence[str]]] = None,
        body_type: Optional[Union[BodyType, Sequence[BodyType]]] = None,
        pose: Optional[Union[Pose, Sequence[Pose]]] = None,
        style: Optional[Union[Style, Sequence[Style]]] = None,
    ) -> Result[Batch]:
        """Sends the task."""
        arguments: Dict[str, Any] = {
            "count": count,
            "templates": templates,
            "save": save,
            "missing_only": missing_only,
            "seed": seed,
            "gender": gender,
            "age_range": age_range,
            "body_type": body_type,
            "pose": pose,
            "style": style,
        }
        call = signature("batch_generate", arguments, immutable=True)
        return cast("Result[Batch]", call.delay())


class HealthCheck:
    """Says how Redis, PostgreSQL and fal look from the worker."""

    name = "health_check"

    def s(self) -> Signature[Health]:
        """A signature for a chain, a group or a chord; a chain may bring its first argument."""
        arguments: Dict[str, Any] = {}
        call = signature("health_check", arguments, immutable=False)
        return cast("Signature[Health]", call)

    def si(self) -> Signature[Health]:
        """A signature that takes nothing from the task before it in a chain."""
        arguments: Dict[str, Any] = {}
        call = signature("health_check", arguments, immutable=True)
        return cast("Signature[Health]", call)

    def delay(self) -> Result[Health]:
        """Sends the task."""
        arguments: Dict[str, Any] = {}
        call = signature("health_check", arguments, immutable=True)
        return cast("Result[Health]", call.delay())


generate_model = GenerateModel()
edit_model = EditModel()
batch_generate = BatchGenerate()
health_check = HealthCheck()
