"""Written by `npm run clients`."""

from __future__ import annotations

from typing import Any, Dict

VERSION = "1.0.0"
CONTRACT = "1.0.0-b03de8bd17ad"

TASKS: Dict[str, Dict[str, Any]] = {
    "generate_model": {
        "arguments": [
            "template_id",
            "gender",
            "age_range",
            "body_type",
            "pose",
            "style",
            "version",
            "seed",
            "save",
            "metadata",
        ],
        "request": {
            "type": "object",
            "properties": {
                "template_id": {
                    "anyOf": [
                        {
                            "type": "string",
                            "minLength": 1,
                            "maxLength": 100,
                            "pattern": "^[^\\u0000\\ud800-\\udfff]*$",
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "gender": {
                    "type": "string",
                    "enum": [
                        "male",
                        "female",
                    ],
                },
                "age_range": {
                    "type": "string",
                    "pattern": "^(?:18-19|1[89]-[2-9][0-9]|2[0-9]-[3-9][0-9]|3[0-9]-[4-9][0-9]|4[0-9]-[5-9][0-9]|5[0-9]-[6-9][0-9]|6[0-9]-[7-9][0-9]|7[0-9]-[8-9][0-9]|8[0-9]-[9-9][0-9]|([2-9])(?:0-\\1[1-9]|1-\\1[2-9]|2-\\1[3-9]|3-\\1[4-9]|4-\\1[5-9]|5-\\1[6-9]|6-\\1[7-9]|7-\\1[8-9]|8-\\1[9-9]))$",
                    "description": "NN-NN with 18 <= from < to <= 99",
                },
                "body_type": {
                    "type": "string",
                    "enum": [
                        "slim",
                        "average",
                        "athletic",
                        "plus-size",
                    ],
                },
                "pose": {
                    "type": "string",
                    "enum": [
                        "front standing",
                        "side",
                        "walking",
                        "sitting",
                    ],
                },
                "style": {
                    "type": "string",
                    "enum": [
                        "professional",
                        "casual",
                        "editorial",
                    ],
                },
                "version": {
                    "anyOf": [
                        {
                            "type": "integer",
                            "minimum": 1,
                            "maximum": 1000000000,
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "seed": {
                    "anyOf": [
                        {
                            "type": "integer",
                            "minimum": 0,
                            "maximum": 9007199254740991,
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "save": {
                    "type": "boolean",
                },
                "metadata": {
                    "anyOf": [
                        {
                            "type": "object",
                            "x-levels": 100,
                            "x-characters": 16384,
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
            },
            "required": [
                "gender",
                "age_range",
                "body_type",
                "pose",
                "style",
            ],
            "additionalProperties": False,
        },
        "presets": {
            "gender": [
                "male",
                "female",
            ],
            "age_range": [
                "20-30",
                "30-40",
                "40-50",
            ],
            "body_type": [
                "slim",
                "average",
                "athletic",
                "plus-size",
            ],
            "pose": [
                "front standing",
                "side",
                "walking",
                "sitting",
            ],
            "style": [
                "professional",
                "casual",
                "editorial",
            ],
        },
    },
    "edit_model": {
        "arguments": [
            "model",
            "prompt",
            "model_id",
            "template_id",
            "version",
            "strength",
            "seed",
            "save",
        ],
        "request": {
            "type": "object",
            "properties": {
                "model": {
                    "anyOf": [
                        {
                            "type": "string",
                            "minLength": 1,
                        },
                        {
                            "type": "object",
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "prompt": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 2000,
                    "pattern": "^[^\\u0000\\ud800-\\udfff]*$",
                },
                "model_id": {
                    "anyOf": [
                        {
                            "type": "string",
                            "minLength": 1,
                            "maxLength": 100,
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "template_id": {
                    "anyOf": [
                        {
                            "type": "string",
                            "minLength": 1,
                            "maxLength": 100,
                            "pattern": "^[^\\u0000\\ud800-\\udfff]*$",
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "version": {
                    "anyOf": [
                        {
                            "type": "integer",
                            "minimum": 1,
                            "maximum": 1000000000,
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "strength": {
                    "anyOf": [
                        {
                            "type": "number",
                            "minimum": 0.01,
                            "maximum": 1,
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "seed": {
                    "anyOf": [
                        {
                            "type": "integer",
                            "minimum": 0,
                            "maximum": 9007199254740991,
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "save": {
                    "type": "boolean",
                },
            },
            "required": [
                "prompt",
            ],
            "additionalProperties": False,
        },
        "model": {
            "type": "object",
            "properties": {
                "id": {
                    "anyOf": [
                        {
                            "type": "string",
                            "maxLength": 100,
                            "pattern": "^[^\\u0000\\ud800-\\udfff]*$",
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "template_id": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 100,
                    "pattern": "^[^\\u0000\\ud800-\\udfff]*$",
                },
                "version": {
                    "anyOf": [
                        {
                            "type": "integer",
                            "minimum": -9007199254740991,
                            "maximum": 9007199254740991,
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "image_url": {
                    "type": "string",
                    "x-picture": {
                        "longest": 8192,
                        "longestData": 8388608,
                    },
                },
                "gender": {
                    "anyOf": [
                        {
                            "type": "string",
                            "maxLength": 20,
                            "pattern": "^[^\\u0000\\ud800-\\udfff]*$",
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "age_range": {
                    "anyOf": [
                        {
                            "type": "string",
                            "maxLength": 20,
                            "pattern": "^[^\\u0000\\ud800-\\udfff]*$",
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "body_type": {
                    "anyOf": [
                        {
                            "type": "string",
                            "maxLength": 20,
                            "pattern": "^[^\\u0000\\ud800-\\udfff]*$",
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "pose": {
                    "anyOf": [
                        {
                            "type": "string",
                            "maxLength": 50,
                            "pattern": "^[^\\u0000\\ud800-\\udfff]*$",
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "style": {
                    "anyOf": [
                        {
                            "type": "string",
                            "maxLength": 50,
                            "pattern": "^[^\\u0000\\ud800-\\udfff]*$",
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
            },
            "required": [
                "template_id",
                "image_url",
            ],
            "additionalProperties": True,
        },
    },
    "batch_generate": {
        "arguments": [
            "count",
            "templates",
            "save",
            "missing_only",
            "seed",
            "gender",
            "age_range",
            "body_type",
            "pose",
            "style",
        ],
        "request": {
            "type": "object",
            "properties": {
                "count": {
                    "anyOf": [
                        {
                            "type": "integer",
                            "minimum": 1,
                            "maximum": 1000,
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "templates": {
                    "anyOf": [
                        {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 1000,
                            "items": {
                                "type": "object",
                                "properties": {
                                    "template_id": {
                                        "anyOf": [
                                            {
                                                "type": "string",
                                                "minLength": 1,
                                                "maxLength": 100,
                                                "pattern": "^[^\\u0000\\ud800-\\udfff]*$",
                                            },
                                            {
                                                "type": "null",
                                            },
                                        ],
                                    },
                                    "gender": {
                                        "type": "string",
                                        "enum": [
                                            "male",
                                            "female",
                                        ],
                                    },
                                    "age_range": {
                                        "type": "string",
                                        "pattern": "^(?:18-19|1[89]-[2-9][0-9]|2[0-9]-[3-9][0-9]|3[0-9]-[4-9][0-9]|4[0-9]-[5-9][0-9]|5[0-9]-[6-9][0-9]|6[0-9]-[7-9][0-9]|7[0-9]-[8-9][0-9]|8[0-9]-[9-9][0-9]|([2-9])(?:0-\\1[1-9]|1-\\1[2-9]|2-\\1[3-9]|3-\\1[4-9]|4-\\1[5-9]|5-\\1[6-9]|6-\\1[7-9]|7-\\1[8-9]|8-\\1[9-9]))$",
                                        "description": "NN-NN with 18 <= from < to <= 99",
                                    },
                                    "body_type": {
                                        "type": "string",
                                        "enum": [
                                            "slim",
                                            "average",
                                            "athletic",
                                            "plus-size",
                                        ],
                                    },
                                    "pose": {
                                        "type": "string",
                                        "enum": [
                                            "front standing",
                                            "side",
                                            "walking",
                                            "sitting",
                                        ],
                                    },
                                    "style": {
                                        "type": "string",
                                        "enum": [
                                            "professional",
                                            "casual",
                                            "editorial",
                                        ],
                                    },
                                    "version": {
                                        "anyOf": [
                                            {
                                                "type": "integer",
                                                "minimum": 1,
                                                "maximum": 1000000000,
                                            },
                                            {
                                                "type": "null",
                                            },
                                        ],
                                    },
                                    "seed": {
                                        "anyOf": [
                                            {
                                                "type": "integer",
                                                "minimum": 0,
                                                "maximum": 9007199254740991,
                                            },
                                            {
                                                "type": "null",
                                            },
                                        ],
                                    },
                                    "save": {
                                        "anyOf": [
                                            {
                                                "type": "boolean",
                                            },
                                            {
                                                "type": "null",
                                            },
                                        ],
                                    },
                                    "metadata": {
                                        "anyOf": [
                                            {
                                                "type": "object",
                                                "x-levels": 100,
                                                "x-characters": 16384,
                                            },
                                            {
                                                "type": "null",
                                            },
                                        ],
                                    },
                                },
                                "required": [
                                    "gender",
                                    "age_range",
                                    "body_type",
                                    "pose",
                                    "style",
                                ],
                                "additionalProperties": False,
                            },
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "save": {
                    "type": "boolean",
                },
                "missing_only": {
                    "type": "boolean",
                },
                "seed": {
                    "anyOf": [
                        {
                            "type": "integer",
                            "minimum": 0,
                            "maximum": 9007199254739991,
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "gender": {
                    "anyOf": [
                        {
                            "type": "string",
                            "enum": [
                                "male",
                                "female",
                            ],
                        },
                        {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 1000,
                            "items": {
                                "type": "string",
                                "enum": [
                                    "male",
                                    "female",
                                ],
                            },
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "age_range": {
                    "anyOf": [
                        {
                            "type": "string",
                            "pattern": "^(?:18-19|1[89]-[2-9][0-9]|2[0-9]-[3-9][0-9]|3[0-9]-[4-9][0-9]|4[0-9]-[5-9][0-9]|5[0-9]-[6-9][0-9]|6[0-9]-[7-9][0-9]|7[0-9]-[8-9][0-9]|8[0-9]-[9-9][0-9]|([2-9])(?:0-\\1[1-9]|1-\\1[2-9]|2-\\1[3-9]|3-\\1[4-9]|4-\\1[5-9]|5-\\1[6-9]|6-\\1[7-9]|7-\\1[8-9]|8-\\1[9-9]))$",
                            "description": "NN-NN with 18 <= from < to <= 99",
                        },
                        {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 1000,
                            "items": {
                                "type": "string",
                                "pattern": "^(?:18-19|1[89]-[2-9][0-9]|2[0-9]-[3-9][0-9]|3[0-9]-[4-9][0-9]|4[0-9]-[5-9][0-9]|5[0-9]-[6-9][0-9]|6[0-9]-[7-9][0-9]|7[0-9]-[8-9][0-9]|8[0-9]-[9-9][0-9]|([2-9])(?:0-\\1[1-9]|1-\\1[2-9]|2-\\1[3-9]|3-\\1[4-9]|4-\\1[5-9]|5-\\1[6-9]|6-\\1[7-9]|7-\\1[8-9]|8-\\1[9-9]))$",
                                "description": "NN-NN with 18 <= from < to <= 99",
                            },
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "body_type": {
                    "anyOf": [
                        {
                            "type": "string",
                            "enum": [
                                "slim",
                                "average",
                                "athletic",
                                "plus-size",
                            ],
                        },
                        {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 1000,
                            "items": {
                                "type": "string",
                                "enum": [
                                    "slim",
                                    "average",
                                    "athletic",
                                    "plus-size",
                                ],
                            },
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "pose": {
                    "anyOf": [
                        {
                            "type": "string",
                            "enum": [
                                "front standing",
                                "side",
                                "walking",
                                "sitting",
                            ],
                        },
                        {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 1000,
                            "items": {
                                "type": "string",
                                "enum": [
                                    "front standing",
                                    "side",
                                    "walking",
                                    "sitting",
                                ],
                            },
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
                "style": {
                    "anyOf": [
                        {
                            "type": "string",
                            "enum": [
                                "professional",
                                "casual",
                                "editorial",
                            ],
                        },
                        {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 1000,
                            "items": {
                                "type": "string",
                                "enum": [
                                    "professional",
                                    "casual",
                                    "editorial",
                                ],
                            },
                        },
                        {
                            "type": "null",
                        },
                    ],
                },
            },
            "additionalProperties": False,
        },
    },
    "health_check": {
        "arguments": [],
        "request": {
            "not": {
                "type": "null",
            },
        },
    },
}

FAILURES: Dict[str, Dict[str, Any]] = {
    "ValidationError": {
        "retry": "changed",
        "unless": [],
    },
    "VersionExists": {
        "retry": "changed",
        "unless": [],
    },
    "ModelNotFound": {
        "retry": "no",
        "unless": [],
    },
    "ContentRefused": {
        "retry": "changed",
        "unless": [],
    },
    "PictureFlagged": {
        "retry": "changed",
        "unless": [],
    },
    "PictureUnusable": {
        "retry": "changed",
        "unless": [],
    },
    "MediaError": {
        "retry": "yes",
        "unless": [
            "not in the media store any more",
            "too large to be sent",
        ],
    },
    "GenerationError": {
        "retry": "yes",
        "unless": [
            "not asked again",
        ],
    },
    "LibraryError": {
        "retry": "yes",
        "unless": [
            "(the picture is at ",
        ],
    },
    "InternalError": {
        "retry": "no",
        "unless": [],
    },
    "NotRegistered": {
        "retry": "no",
        "unless": [],
    },
    "NotImplementedError": {
        "retry": "no",
        "unless": [],
    },
    "ContentDisallowed": {
        "retry": "no",
        "unless": [],
    },
    "DecodeError": {
        "retry": "no",
        "unless": [],
    },
    "SoftTimeLimitExceeded": {
        "retry": "yes",
        "unless": [],
    },
    "TimeLimitExceeded": {
        "retry": "yes",
        "unless": [],
    },
    "WorkerLostError": {
        "retry": "no",
        "unless": [],
    },
    "TaskRevokedError": {
        "retry": "no",
        "unless": [],
    },
}

PRICES: Dict[str, Dict[str, Any]] = {
    "default": {
        "generate": "fal-ai/flux/dev",
        "edit": "fal-ai/flux/dev/image-to-image",
    },
    "generate": {
        "fal-ai/flux/dev": {
            "likely": 25000000,
            "most": 25000000,
        },
        "fal-ai/flux/schnell": {
            "likely": 3000000,
            "most": 3000000,
        },
        "fal-ai/flux/dev/image-to-image": {
            "likely": 30000000,
            "most": 30000000,
        },
        "fal-ai/flux-pro/kontext": {
            "likely": 40000000,
            "most": 40000000,
        },
        "fal-ai/flux-2/klein/9b": {
            "likely": 6000000,
            "most": 6000000,
        },
        "fal-ai/flux-2/turbo": {
            "likely": 8000000,
            "most": 8000000,
        },
        "fal-ai/flux-2-pro": {
            "likely": 30000000,
            "most": 30000000,
        },
        "fal-ai/flux-2-pro/edit": {
            "likely": 45000000,
            "most": 90000000,
        },
        "fal-ai/nano-banana-2": {
            "likely": 80000000,
            "most": 80000000,
        },
        "fal-ai/nano-banana-2/edit": {
            "likely": 80000000,
            "most": 80000000,
        },
    },
    "edit": {
        "fal-ai/flux/dev": {
            "likely": 25000000,
            "most": 100000000,
        },
        "fal-ai/flux/schnell": {
            "likely": 3000000,
            "most": 12000000,
        },
        "fal-ai/flux/dev/image-to-image": {
            "likely": 30000000,
            "most": 120000000,
        },
        "fal-ai/flux-pro/kontext": {
            "likely": 40000000,
            "most": 40000000,
        },
        "fal-ai/flux-2/klein/9b": {
            "likely": 6000000,
            "most": 24000000,
        },
        "fal-ai/flux-2/turbo": {
            "likely": 8000000,
            "most": 32000000,
        },
        "fal-ai/flux-2-pro": {
            "likely": 30000000,
            "most": 75000000,
        },
        "fal-ai/flux-2-pro/edit": {
            "likely": 45000000,
            "most": 135000000,
        },
        "fal-ai/nano-banana-2": {
            "likely": 80000000,
            "most": 80000000,
        },
        "fal-ai/nano-banana-2/edit": {
            "likely": 80000000,
            "most": 80000000,
        },
    },
}
