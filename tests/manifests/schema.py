"""What Kubernetes takes, by the models of its client, which are generated from its OpenAPI."""

import json
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from kubernetes import client

PLAIN = {"str": str, "int": int, "bool": bool, "float": float, "datetime": str, "object": object}


def problems(value: dict[str, Any]) -> list[str]:
    """Return what Kubernetes would refuse: fields that it does not know, values of another type, what must be there."""
    model = value["apiVersion"].rpartition("/")[2].capitalize() + value["kind"]
    found = list(_mistakes(value, model, value["kind"]))
    try:
        client.ApiClient().deserialize(SimpleNamespace(data=json.dumps(value)), model)
    except ValueError as error:
        found.append(str(error))
    return found


def _mistakes(value: Any, type_name: str, where: str) -> Iterator[str]:
    if each := re.fullmatch(r"list\[(.*)\]", type_name):
        if not isinstance(value, list):
            yield f"{where} must be a list, got {value!r}"
            return
        for number, item in enumerate(value):
            yield from _mistakes(item, each[1], f"{where}[{number}]")
    elif each := re.fullmatch(r"dict\(str, (.*)\)", type_name):
        if not isinstance(value, dict):
            yield f"{where} must be a mapping, got {value!r}"
            return
        for name, item in value.items():
            yield from _mistakes(item, each[1], f"{where}.{name}")
    elif type_name in PLAIN:
        if not isinstance(value, PLAIN[type_name]) or (type_name == "int" and isinstance(value, bool)):
            yield f"{where} must be {type_name}, got {value!r}"
    else:
        model = getattr(client, type_name)
        types = {name: model.openapi_types[attribute] for attribute, name in model.attribute_map.items()}
        if not isinstance(value, dict):
            yield f"{where} must be a {type_name}, got {value!r}"
            return
        for name, item in value.items():
            if name in types:
                yield from _mistakes(item, types[name], f"{where}.{name}")
            else:
                yield f"{where}.{name} is no field of {type_name}"
