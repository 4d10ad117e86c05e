"""Level max as docs/format.md describes it: matrix, codebook, class counts."""

from __future__ import annotations

import numpy as np

from reference_block import HighBits, check
from reference_nested import Axes, PayloadReader, read_class, read_varint


class Codebook:
    """What the nested blocks of a segment share at level max."""

    def __init__(
        self, data: bytes, bits: int, signed: bool, sample_shape: list[int], axes: Axes
    ) -> None:
        self.flip = 1 << (bits - 1) if signed else 0
        self.sample_shape, self.axes = sample_shape, axes
        channels = 1 if axes.channel is None else sample_shape[axes.channel]
        reader = HighBits(data)
        class_count, kind_count = 1 + reader.read(5), 1 + reader.read(4)
        kind_width, class_width = (kind_count - 1).bit_length(), (class_count - 1).bit_length()
        groups = [reader.read(kind_width) for _ in range(min(channels, 1024))]
        check(all(kind < kind_count for kind in groups), "there is no such kind")
        self.kinds = [groups[c * len(groups) // channels] for c in range(channels)]
        self.levels = [0]
        for _ in range(1, 1 << bits):
            self.levels.append(self.levels[-1] + reader.read(1))
        levels = self.levels[-1] + 1
        check(levels <= 11, "there are too many levels")
        classes = [reader.read(class_width) for _ in range(kind_count * levels**2)]
        check(all(number < class_count for number in classes), "there is no such class")
        self.map = np.array(classes).reshape(kind_count, levels, levels)
        self.classes = [read_class(reader, 1 << bits) for _ in range(class_count)]
        reader.finish()

    def decode(
        self,
        payload: bytes,
        n: int,
        sample_shape: list[int] | None = None,
        first_channel: int = 0,
    ) -> list[int]:
        """The symbols of a block, of samples of a shape, in C order."""
        shape = self.sample_shape if sample_shape is None else sample_shape
        counts, at = [], 0
        for _ in self.classes:
            count, at = read_varint(payload, at)
            counts.append(count)
        check(sum(counts) == n, "the class counts are not those of the block")
        coded = sum(code is not None for own in self.classes for code in own.codes)
        reader = PayloadReader(payload[at:], coded, n)
        sequences = [
            reader.read_tree(own.tree, iter(own.codes), count)
            for own, count in zip(self.classes, counts, strict=True)
        ]
        reader.finish()
        return self.join(sequences, n, shape, first_channel)

    def join(
        self, sequences: list[list[int]], n: int, shape: list[int], first_channel: int
    ) -> list[int]:
        places, kinds = self.matrix(n // int(np.prod(shape, dtype=np.int64)), shape, first_channel)
        matrix = np.zeros(places.shape, np.int64)
        taken = [0] * len(sequences)
        for row in range(len(matrix)):
            first, second = self.neighbours(matrix, row, shape)
            for column, kind in enumerate(kinds):
                level = self.levels[first[column]], self.levels[second[column]]
                number = self.map[kind][level]
                check(taken[number] < len(sequences[number]), "a class has too few symbols")
                matrix[row, column] = sequences[number][taken[number]]
                taken[number] += 1
        block = np.zeros(n, np.int64)
        block[places] = matrix
        return [int(number) ^ self.flip for number in block]

    def matrix(
        self, samples: int, shape: list[int], first_channel: int
    ) -> tuple[np.ndarray, list[int]]:
        """Where in the block each place of the matrix stands, and the kind of each column."""
        axes = self.axes
        places = np.arange(samples * int(np.prod(shape, dtype=np.int64)))
        places = places.reshape(samples, *shape)
        rows = [axis for axis in range(len(shape)) if axis not in axes]
        rows += [axis for axis in (axes.second, axes.first) if axis is not None]
        channel = [] if axes.channel is None else [1 + axes.channel]
        places = places.transpose([*(1 + axis for axis in rows), *channel, 0])
        here = 1 if axes.channel is None else shape[axes.channel]
        kinds = self.kinds[first_channel : first_channel + here]
        places = places.reshape(-1, here, samples)
        order = sorted(range(here), key=kinds.__getitem__)
        columns = [kinds[channel] for channel in order for _ in range(samples)]
        return places[:, order].reshape(len(places), -1), columns

    def neighbours(
        self, matrix: np.ndarray, row: int, shape: list[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of both neighbours of every symbol of a row."""
        axes, first, second = self.axes, None, None
        if axes.first is not None:
            width = shape[axes.first]
            first = row - 1 if row % width > 0 else None
            if axes.second is not None:
                above = row // width % shape[axes.second] > 0
                second = row - width if above else None
            else:
                second = row - 2 if row % width > 1 else None
        zero = np.full(matrix.shape[1], self.flip)  # the number of the symbol 0
        known = [matrix[place] for place in (first, second) if place is not None] or [zero]
        return known[0], known[-1]
