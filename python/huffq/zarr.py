"""huffq's codec for zarr v3 (``pip install 'huffq[zarr]'``)."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from zarr.abc.codec import ArrayBytesCodec

from huffq.codec import Level, decode, encode

if TYPE_CHECKING:
    from typing_extensions import Self
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer
    from zarr.core.common import JSON

NAME = "huffq.huffman"
"""What arrays' metadata call the codec; zarr finds it by its entry point."""


@dataclass(frozen=True)
class HuffmanCodec(ArrayBytesCodec):
    """Codes each chunk of a uint8 or int8 array by itself, as `huffq.encode` does.

    Its place is that of the serializer, with no compressor behind it:
    ``zarr.create_array(…, serializer=HuffmanCodec(), compressors=None)``. The first axis is that of
    the samples. zarr codes several chunks at a time; each takes one thread.

    Attributes:
        bits: Bit width, 1 to 8; None takes the narrowest that holds a chunk.
        level: As for `huffq.encode`.
        channel_axis: As for `huffq.encode`.
    """

    bits: int | None = None
    level: Level = "dense"
    channel_axis: int | None = None

    is_fixed_size = False

    @classmethod
    def from_dict(cls, data: dict[str, JSON]) -> Self:
        """Return the codec of an array's metadata."""
        configuration: Any = data.get("configuration", {})
        return cls(**configuration)

    def to_dict(self) -> dict[str, JSON]:
        """Return what an array's metadata say of the codec."""
        return {"name": NAME, "configuration": asdict(self)}

    def validate(self, *, dtype: Any, **_: Any) -> None:
        """Refuse arrays that hold no codes.

        Raises:
            TypeError: The array is not uint8 or int8.
        """
        native = dtype.to_native_dtype()
        if native not in (np.uint8, np.int8):
            raise TypeError(f"the array is {native}; the codec {NAME} takes uint8 and int8")

    def compute_encoded_size(self, _input_byte_length: int, _chunk_spec: ArraySpec) -> int:
        """Raise: the size of a chunk depends on what it holds."""
        raise NotImplementedError

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer:
        codes = np.ascontiguousarray(chunk_data.as_numpy_array())
        blob = await asyncio.to_thread(
            encode, codes, self.bits, self.level, self.channel_axis, threads=1
        )
        return chunk_spec.prototype.buffer.from_bytes(blob)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        out: Any = np.empty(chunk_spec.shape, chunk_spec.dtype.to_native_dtype())
        await asyncio.to_thread(decode, chunk_data.to_bytes(), out=out, threads=1)
        return chunk_spec.prototype.nd_buffer.from_numpy_array(out)
