"""What clients send and get: KServe's protocols 1 and 2, with the binary extension of the latter.

https://kserve.github.io/website/docs/concepts/architecture/data-plane
"""

import base64
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import orjson

from cellwright.errors import DataError
from cellwright.results import InputInfo, ModelInfo
from cellwright.serving.model import Answers, Array, Arrays, ServedModel
from cellwright.tasks.tables.columns import NO_DATE

DATATYPES = {
    "BOOL": "bool",
    **{f"{sign}INT{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"float{bits}" for bits in (16, 32, 64)},
}
"""NumPy's names of the protocol's types, but for BYTES, which are texts here."""
BYTES = "BYTES"
NAMES = {numpy: name for name, numpy in DATATYPES.items()} | {"string": BYTES}


def read_json(content: bytes | memoryview) -> dict[str, Any]:
    """Return a JSON object, which may have NaN and infinities as Python writes them; raises DataError."""
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        found = _read_python_json(content)
    if not isinstance(found, dict):
        raise DataError(f"the body must be a JSON object, got {type(found).__name__}")
    return found


def _read_python_json(content: bytes | memoryview) -> Any:
    try:
        return json.loads(bytes(content))
    except (ValueError, RecursionError) as error:
        raise DataError(f"the body must be JSON: {error}") from error


def write_json(value: Any) -> bytes:
    """Return a value as JSON; halves of surrogate pairs, which names of files may have, as escapes."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")


def read_instances(body: Mapping[str, Any], model: ServedModel, most: int) -> Arrays:
    """Return the inputs of protocol 1: a list of examples, each a value or an object of values by input."""
    instances = body.get("instances")
    if not isinstance(instances, list) or not instances:
        raise DataError("instances must be a list with an example or more")
    _require_few(len(instances), most)
    names = [x.name for x in model.inputs]
    if len(names) == 1 and not (isinstance(instances[0], dict) and names[0] in instances[0]):
        return {names[0]: _array(model, model.inputs[0], instances)}
    for index, instance in enumerate(instances):
        if not isinstance(instance, dict) or instance.keys() != set(names):
            got = ", ".join(map(str, instance)) if isinstance(instance, dict) else type(instance).__name__
            raise DataError(f"instances[{index}] must have {', '.join(names)}, got {got:.200}")
    return {x.name: _array(model, x, [instance[x.name] for instance in instances]) for x in model.inputs}


def _array(model: ServedModel, taken: InputInfo, values: list[Any]) -> Array:
    """Return the values of an input as the network takes them."""
    if taken.dtype == "string":
        return _texts(taken, ["" if value is None else value for value in values])
    if takes_text(taken) and all(isinstance(value, str) for value in values):
        return _decoded(model, taken, _encoded(values))
    if any(isinstance(value, dict) for value in values):
        return _decoded(model, taken, _contents(taken, values))
    if not taken.shape and None in values:
        missing = math.nan if taken.dtype.startswith("float") else NO_DATE
        values = [missing if value is None else value for value in values]
    if taken.dtype == "uint8" and (array := _bytes_of(values, taken.shape)) is not None:
        return array
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"{taken.name} must have examples of the shape {list(taken.shape)}, all the same"
        ) from error
    return _converted(taken, array)


def _bytes_of(values: list[Any], shape: tuple[int, ...]) -> Array | None:
    """Return nested lists of whole numbers from 0 to 255 as an array, faster than NumPy; None if they are other.

    Also None where none is above 1, since these may be truth values, which NumPy tells apart.
    """
    rows = values
    for depth, side in enumerate(shape):
        if set(map(type, rows)) != {list} or set(map(len, rows)) != {side}:
            return None
        if depth < len(shape) - 1:
            rows = list(chain.from_iterable(rows))
    try:
        content = b"".join(map(bytes, rows)) if shape else bytes(rows)
    except (TypeError, ValueError):
        return None
    array = np.frombuffer(content, np.uint8).reshape(len(values), *shape)
    return array if array.max() > 1 else None


def takes_text(taken: InputInfo) -> bool:
    """Tell whether an input is the bytes of a text."""
    return taken.dtype == "uint8" and len(taken.shape) == 1


def _texts(taken: InputInfo, values: Sequence[Any]) -> Array:
    for index, value in enumerate(values):
        if not isinstance(value, str):
            raise DataError(f"{taken.name} must be texts, got {type(value).__name__} in example {index}")
    return np.array(values, object)


def _encoded(texts: Iterable[str]) -> list[bytes]:
    return [text.encode(errors="surrogatepass") for text in texts]


def _decoded(model: ServedModel, taken: InputInfo, contents: Sequence[bytes]) -> Array:
    """Return the examples that contents of files are, read as in training."""
    if (decode := model.decoder) is None:
        raise DataError(f"{taken.name} must be arrays of {taken.dtype} {list(taken.shape)}, and no files")
    examples = []
    for index, content in enumerate(contents):
        try:
            example = decode(content)
        except DataError as error:
            raise DataError(f"{taken.name} of example {index}: {error}") from error
        if example.shape != taken.shape:
            raise DataError(
                f"{taken.name} must be {list(taken.shape)}, got {list(example.shape)} in example {index}"
            )
        examples.append(example)
    return np.stack(examples)


def _contents(taken: InputInfo, values: Sequence[Any]) -> list[bytes]:
    """Return the contents of files, which values have in base64."""
    contents = []
    for index, value in enumerate(values):
        if not isinstance(value, dict) or value.keys() != {"b64"} or not isinstance(value["b64"], str):
            raise DataError(
                f'{taken.name} must be {{"b64": …}} in each example or in none, see example {index}'
            )
        try:
            contents.append(base64.b64decode(value["b64"], validate=True))
        except ValueError as error:
            raise DataError(f"{taken.name} must be base64 in example {index}: {error}") from error
    return contents


def _converted(taken: InputInfo, array: Array) -> Array:
    """Return numbers in the type of an input, if that can hold them."""
    if array.shape[1:] != taken.shape:
        raise DataError(
            f"{taken.name} must have examples of the shape {list(taken.shape)}, got {list(array.shape[1:])}"
        )
    wanted = np.dtype(taken.dtype)
    kinds = "iuf" if wanted.kind == "f" else "iu"
    if array.dtype.kind not in kinds:
        raise DataError(
            f"{taken.name} must be {'numbers' if 'f' in kinds else 'whole numbers'}, got {array.dtype}"
        )
    if wanted.kind != "f" and array.dtype != wanted:
        low, high = np.iinfo(wanted).min, np.iinfo(wanted).max
        if array.min() < low or array.max() > high:
            raise DataError(f"{taken.name} must be from {low} to {high}, got {array.min()} to {array.max()}")
    with np.errstate(over="ignore"):
        return array.astype(wanted, copy=False)


def _require_few(rows: int, most: int) -> None:
    if rows > most:
        raise DataError(f"a request must have at most {most} examples, got {rows}")


def read_tensors(
    content: bytes, header: str | None, model: ServedModel, most: int
) -> tuple[Arrays, dict[str, Any]]:
    """Return the inputs of protocol 2, and the request.

    Args:
        content: JSON, with binary tensors after it if there is a header.
        header: the request's `Inference-Header-Content-Length`, the length of the JSON.
        model: takes them.
        most: examples.
    """
    view = memoryview(content)
    length = len(view)
    if header is not None:
        if not header.isdecimal() or not 0 < int(header) <= len(view):
            raise DataError(
                f"Inference-Header-Content-Length must be the length of the JSON, got {header:.20}"
            )
        length = int(header)
    request, rest = read_json(view[:length]), view[length:]
    inputs = request.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(each, dict) for each in inputs):
        raise DataError("inputs must be a list of objects")
    taken, arrays = {x.name: x for x in model.inputs}, {}
    for each in inputs:
        name = each.get("name")
        if name not in taken or name in arrays:
            raise DataError(f"inputs must be {', '.join(taken)}, once each, got {name!s:.100}")
        array, rest = _tensor(each, name, rest)
        arrays[name] = _as_taken(model, taken[name], array)
    if missing := taken.keys() - arrays.keys():
        raise DataError(f"inputs must be {', '.join(taken)}, without {', '.join(sorted(missing))}")
    counts = {len(array) for array in arrays.values()}
    if len(counts) != 1 or not counts.isdisjoint({0}):
        raise DataError(f"inputs must have the same number of examples, at least one, got {sorted(counts)}")
    _require_few(counts.pop(), most)
    return {name: arrays[name] for name in taken}, request


def _tensor(each: Mapping[str, Any], name: str, rest: memoryview) -> tuple[Array, memoryview]:
    """Return a tensor of a request, and the binary data after it."""
    shape, datatype = each.get("shape"), each.get("datatype")
    if (
        not isinstance(shape, list)
        or not shape
        or not all(type(side) is int and 0 <= side < 2**31 for side in shape)
    ):
        raise DataError(f"{name}: shape must be a list of sizes, got {shape!s:.100}")
    if datatype != BYTES and datatype not in DATATYPES:
        raise DataError(
            f"{name}: datatype must be one of {', '.join([*DATATYPES, BYTES])}, got {datatype!s:.100}"
        )
    size, count = (each.get("parameters") or {}).get("binary_data_size"), math.prod(shape)
    if size is None:
        data = each.get("data")
        if not isinstance(data, list):
            raise DataError(f"{name}: data must be a list")
        try:
            array = np.asarray(data, object if datatype == BYTES else None)
        except (ValueError, OverflowError) as error:
            raise DataError(f"{name}: data must be flat, or nested as the shape is") from error
    else:
        if type(size) is not int or not 0 <= size <= len(rest):
            raise DataError(f"{name}: binary_data_size must be within the body, got {size!s:.100}")
        binary, rest = rest[:size], rest[size:]
        array = _from_bytes(binary, datatype, name)
    if array.size != count:
        raise DataError(f"{name}: data must have the {count} values of its shape, got {array.size}")
    return array.reshape(shape), rest


def _from_bytes(binary: memoryview, datatype: str, name: str) -> Array:
    if datatype == BYTES:
        return np.array(list(_texts_in(binary, name)), object)
    dtype = np.dtype(DATATYPES[datatype])
    if len(binary) % dtype.itemsize:
        raise DataError(f"{name}: binary data must be whole values of {datatype}, got {len(binary)} bytes")
    return np.frombuffer(binary, dtype.newbyteorder("<"))


def _texts_in(binary: memoryview, name: str) -> Iterator[str]:
    """Yield texts, each after its length in four bytes."""
    start = 0
    while start < len(binary):
        end = start + 4 + int.from_bytes(binary[start : start + 4], "little")
        if end > len(binary):
            raise DataError(f"{name}: binary data must end with a whole text")
        try:
            yield str(binary[start + 4 : end], "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{name}: texts must be UTF-8: {error.reason}") from error
        start = end


def _as_taken(model: ServedModel, taken: InputInfo, array: Array) -> Array:
    if taken.dtype == "string" or (takes_text(taken) and array.dtype == object):
        if array.ndim != 1:
            raise DataError(f"{taken.name} must have the shape [N], got {list(array.shape)}")
        texts = _texts(taken, array.tolist())
        return texts if taken.dtype == "string" else _decoded(model, taken, _encoded(texts))
    return _converted(taken, array)


def metadata(model: ServedModel) -> dict[str, Any]:
    """Return what protocol 2 says of a model."""
    info = model.info
    outputs = [{"name": info.output.name, "datatype": "FP32", "shape": [-1]}]
    if names := info.class_names or info.label_names:
        outputs = [
            {"name": "label", "datatype": BYTES, "shape": [-1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, len(names)]},
            {"name": info.output.name, "datatype": "FP32", "shape": [-1, len(names)]},
        ]
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": x.name, "datatype": BYTES, "shape": [-1]}
            if takes_text(x)
            else {"name": x.name, "datatype": NAMES[x.dtype], "shape": [-1, *x.shape]}
            for x in model.inputs
        ],
        "outputs": outputs,
        "parameters": _names(info),
    }


def write_tensors(
    model: ServedModel, answers: Answers, request: Mapping[str, Any]
) -> tuple[bytes, int | None]:
    """Return the answer of protocol 2, and the length of its JSON if binary tensors follow that.

    Raises:
        DataError: the request asks for an output that there is not.
    """
    found: dict[str, Array] = {model.info.output.name: answers.outputs}
    if answers.names is not None:
        found = {
            "label": np.array(answers.labels(), object),
            "probabilities": answers.probabilities(),
            **found,
        }
    binary_by_default = bool((request.get("parameters") or {}).get("binary_data_output"))
    wanted = request.get("outputs") or [{"name": name} for name in found]
    if not isinstance(wanted, list) or not all(isinstance(each, dict) for each in wanted):
        raise DataError("outputs must be a list of objects")
    outputs, tail = [], []
    for each in wanted:
        name = each.get("name")
        if name not in found:
            raise DataError(f"outputs must be of {', '.join(found)}, got {name!s:.100}")
        array = found[name]
        output: dict[str, Any] = {
            "name": name,
            "datatype": BYTES if array.dtype == object else NAMES[array.dtype.name],
            "shape": list(array.shape),
        }
        if (each.get("parameters") or {}).get("binary_data", binary_by_default):
            tail.append(_to_bytes(array))
            output["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            output["data"] = array.ravel().tolist()
        outputs.append(output)
    answer: dict[str, Any] = {
        "model_name": model.name,
        "model_version": model.version,
        "outputs": outputs,
        "parameters": _names(model.info),
    }
    if isinstance(request.get("id"), str):
        answer["id"] = request["id"]
    text = write_json(answer)
    return b"".join([text, *tail]), len(text) if tail else None


def _names(info: ModelInfo) -> dict[str, Any]:
    """Return the names of the columns of probabilities."""
    return {"label_names": info.label_names} if info.label_names else {"class_names": info.class_names}


def _to_bytes(array: Array) -> bytes:
    if array.dtype != object:
        return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    texts = [text.encode() for text in array.tolist()]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
