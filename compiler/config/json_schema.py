"""edgetpu.yaml's JSON Schema, for editors: the table of fields in another form."""

from __future__ import annotations

import json
from typing import Any

from .fields import SECTIONS, VERSION, Field, Section
from .kinds import NAME

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema. It cannot say what `checks` says: references, devices, outputs."""
    properties = {VERSION.name: _field(VERSION)}
    properties |= {section.name: _section(section) for section in SECTIONS}
    return {
        "$schema": DRAFT,
        "title": "edgetpu.yaml",
        "type": "object",
        "properties": properties,
        "required": [VERSION.name],
        "additionalProperties": False,
    }


def schema_text() -> str:
    """The file docs/edgetpu.schema.json."""
    return json.dumps(schema(), indent=2) + "\n"


def _section(section: Section) -> dict[str, Any]:
    entry = {
        "type": "object",
        "properties": {field.name: _field(field) for field in section.fields},
        "additionalProperties": False,
    }
    required = [field.name for field in section.fields if field.required]
    if required:
        entry["required"] = required
    if not section.named:
        return {"description": section.doc, **entry}
    return {
        "description": section.doc,
        "type": "object",
        "propertyNames": {"pattern": NAME},
        "additionalProperties": entry,
    }


def _field(field: Field) -> dict[str, Any]:
    return {"description": field.doc, **field.kind.schema()}
