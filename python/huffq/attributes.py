"""What a file's schema says about fields, beyond how they are coded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from huffq.scales import Parameter, as_real_dtype, as_scale, as_zero_point

if TYPE_CHECKING:
    from huffq.codes import Codes


_DEFAULTS: dict[str, Any] = {
    "scale": {"dtype": "float32", "values": 1.0},
    "zero_point": {"dtype": "int64", "values": 0},
    "real_dtype": None,
    "metadata": {},
}


class Attributes(NamedTuple):
    """What the codes of a field stand for; see `huffq.Codes`."""

    scale: Parameter
    zero_point: Parameter
    real_dtype: str | None
    metadata: dict[str, Any]


def attributes_of(codes: Codes) -> dict[str, Any]:
    """Return a coded field's attributes as JSON has them."""
    return {
        "scale": _to_json(codes.scale),
        "zero_point": _to_json(codes.zero_point),
        "real_dtype": codes.real_dtype,
        "metadata": codes.metadata,
    }


def read_attributes(attributes: Any, item_shape: tuple[int, ...]) -> Attributes:
    """Return attributes as they were written; 1, 0, None and nothing for what there is not.

    Raises:
        TypeError, ValueError, OverflowError: They have a wrong form.
    """
    given = _DEFAULTS | ({} if attributes is None else attributes)
    scale, zero_point = _from_json(given["scale"]), _from_json(given["zero_point"])
    real_dtype, metadata = given["real_dtype"], given["metadata"]
    if not isinstance(metadata, dict):
        raise ValueError("metadata must be an object")
    return Attributes(
        scale if isinstance(scale, str) else as_scale(scale, item_shape),
        zero_point if isinstance(zero_point, str) else as_zero_point(zero_point, item_shape),
        None if real_dtype is None else as_real_dtype(real_dtype),
        metadata,
    )


def _to_json(parameter: Parameter) -> dict[str, Any]:
    if isinstance(parameter, str):
        return {"field": parameter}
    return {"dtype": parameter.dtype.name, "values": parameter.tolist()}


def _from_json(parameter: Any) -> Parameter:
    match parameter:
        case {"field": str(name)}:
            return name
        case {"dtype": str(name), "values": values}:
            dtype = np.dtype(name)
            # Some dtypes take gigabytes for an element; and numbers have no other form than JSON's.
            if dtype.kind not in "iuf" or np.array(values).dtype.kind not in "iufO":
                raise ValueError(f"values of {dtype} are no numbers")
            array = np.array(values, dtype)
            if dtype.kind in "iu" and array.tolist() != values:
                raise ValueError(f"the values are no integers of {dtype}")
            return array
    raise ValueError("scale and zero_point must have a field's name, or a dtype and values")


def read_dtype(descr: Any) -> np.dtype[Any]:
    """Return the dtype of numpy's description of it, as JSON has it.

    Raises:
        TypeError, ValueError, KeyError, SyntaxError: It is none, or of Python objects.
    """

    def tuples(part: Any) -> Any:
        # JSON has no tuples: a field is one, and so is a shape.
        if not isinstance(part, list):
            return part
        name, kind, *shape = part
        kind = [tuples(field) for field in kind] if isinstance(kind, list) else kind
        return (name, kind, *(tuple(extents) for extents in shape))

    plain = [tuples(field) for field in descr] if isinstance(descr, list) else descr
    dtype: np.dtype[Any] = np.lib.format.descr_to_dtype(plain)
    if dtype.hasobject:
        raise ValueError(f"{dtype} holds Python objects")
    return dtype
