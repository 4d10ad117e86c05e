"""AXI-Streams of a simulated core, driven and watched by cocotb, and a model of the decoder."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from huffq import CodeTable

OK, NO_CODEWORD, ENDED_EARLY, WORDS_LEFT = range(4)


class Source:
    """Offers beats, each a dict of a port's suffix and value; an offered beat stays until taken."""

    def __init__(self, dut, name, stall):
        self._dut, self._name, self._stall = dut, name, stall
        self._valid = getattr(dut, f"{name}_tvalid")
        self._ready = getattr(dut, f"{name}_tready")
        self._ports = {}
        self._offered = False
        self._valid.value = 0
        self.beats = deque()
        self.controlled = False

    def clock(self):
        if self._offered:
            if not self._ready.value:
                return
            self.beats.popleft()
        offer = bool(self.beats) and random.random() >= self._stall
        if offer:
            for suffix, value in self.beats[0].items():
                if suffix not in self._ports:
                    self._ports[suffix] = getattr(self._dut, f"{self._name}_{suffix}")
                self._ports[suffix].value = value
        if offer != self._offered:
            self._valid.value = int(offer)
        self._offered = offer


class Sink:
    """Collects beats, each a tuple of the named ports' values; whole packets go to `packets`."""

    def __init__(self, dut, name, suffixes, stall):
        self._valid = getattr(dut, f"{name}_tvalid")
        self._ready = getattr(dut, f"{name}_tready")
        self._last = getattr(dut, f"{name}_tlast")
        self._ports = [getattr(dut, f"{name}_{suffix}") for suffix in suffixes]
        self._stall = stall
        self._open = False
        self._ready.value = 0
        self._packet = []
        self.packets = []

    def clock(self):
        if self._open and self._valid.value:
            self._packet.append(tuple(int(port.value) for port in self._ports))
            if self._last.value:
                self.packets.append(self._packet)
                self._packet = []
        ready = random.random() >= self._stall
        if ready != self._open:
            self._ready.value = int(ready)
        self._open = ready


class Bench:
    """A core in reset, then its clock: `run` moves every stream on, until all packets are out."""

    def __init__(self, dut, sources, sinks, stall):
        self.dut = dut
        self.sources = {name: Source(dut, f"s_{name}", stall) for name in sources}
        self.sinks = {name: Sink(dut, f"m_{name}", ports, stall) for name, ports in sinks.items()}
        self.clocks = 0
        # Pairs of stream and beats: none is offered before all of another stream are taken.
        self.control = deque()

    async def reset(self):
        self.dut.aclk.value = 0
        self.dut.aresetn.value = 0
        Clock(self.dut.aclk, 10, "ns").start()
        for _ in range(4):
            await RisingEdge(self.dut.aclk)
        self.dut.aresetn.value = 1

    def _feed_control(self):
        while self.control:
            name, beats = self.control[0]
            others = (source for other, source in self.sources.items() if other != name)
            if any(other.beats for other in others if other.controlled):
                return
            self.sources[name].controlled = True
            self.sources[name].beats.extend(beats)
            self.control.popleft()

    async def run(self, sink, packets, limit):
        """Return the next packets of a sink; fail if they are not there after `limit` clocks."""
        edge = RisingEdge(self.dut.aclk)
        watched, limit = self.sinks[sink].packets, self.clocks + limit
        watched.clear()
        streams = [*self.sources.values(), *self.sinks.values()]
        while len(watched) < packets:
            assert self.clocks < limit, f"{len(watched)} of {packets} packets in {limit} clocks"
            self._feed_control()
            await edge
            self.clocks += 1
            for stream in streams:
                stream.clock()
        assert not any(source.beats for source in self.sources.values())
        return watched


def canonical(lengths):
    """Return ``{(length, codeword): symbol}``, incomplete codes included."""
    code, book, previous = 0, {}, 0
    for length, symbol in sorted((length, s) for s, length in enumerate(lengths) if length):
        code <<= length - previous
        book[length, code] = symbol
        code, previous = code + 1, length
    return book


def random_lengths(symbols=16, longest=15):
    """Return the lengths of a complete code, of anything from one symbol to all, often deep."""
    used = random.choice([1, symbols, random.randint(1, symbols)])
    growth = random.choice([1.0, 1.4, 2.0, 3.0])
    counts = np.zeros(symbols, np.int64)
    counts[random.sample(range(symbols), used)] = [int(10 * growth**i) for i in range(used)]
    return CodeTable.from_counts(counts, max_length=longest).lengths.tolist()


def draw(lengths, count):
    """Return symbols that have a codeword."""
    return random.choices([s for s, length in enumerate(lengths) if length], k=count)


def table_beats(lengths, symbol_bits):
    """Return the beats that load a code."""
    order = sorted((length, symbol) for symbol, length in enumerate(lengths) if length)
    return [
        {"tdata": length << symbol_bits | symbol, "tlast": int(i + 1 == len(order))}
        for i, (length, symbol) in enumerate(order)
    ]


def tree_beats(lengths, symbol_bits):
    """Return the beats that load a code into the benchmark's tree walker: nodes, root first."""
    leaf, nodes = 1 << symbol_bits, [[0, 0]]
    for (length, codeword), symbol in canonical(lengths).items():
        at = 0
        for place in range(length - 1, -1, -1):
            side = codeword >> place & 1
            if place == 0:
                nodes[at][side] = leaf | symbol
            elif nodes[at][side] == 0:
                nodes.append([0, 0])
                nodes[at][side] = len(nodes) - 1
            at = nodes[at][side]
    return [
        {"tdata": high << symbol_bits + 1 | low, "tlast": int(i + 1 == len(nodes))}
        for i, (low, high) in enumerate(nodes)
    ]


def word_beats(words):
    """Return the beats of a packet of words."""
    return [{"tdata": word, "tlast": int(i + 1 == len(words))} for i, word in enumerate(words)]


@dataclass
class Tile:
    """What a decoder is given, and what must come out."""

    lengths: list[int]
    count: int
    words: list[int]
    symbols: list[int] = field(init=False)
    status: int = field(init=False)
    word_bits: int = 32

    def __post_init__(self):
        self.symbols, self.status = self._decode(canonical(self.lengths))

    def _decode(self, book):
        size = len(self.words) * self.word_bits
        digits = "".join(f"{word:0{self.word_bits}b}" for word in self.words) + "0" * 16
        symbols, at = [], 0
        while len(symbols) < self.count:
            heads = ((n, int(digits[at : at + n], 2)) for n in range(1, 16))
            match = next((head for head in heads if head in book), None)
            if match is None:
                return symbols, NO_CODEWORD
            if at + match[0] > size:
                return symbols, ENDED_EARLY
            symbols.append(book[match])
            at += match[0]
        left = len(self.words) - -(-at // self.word_bits)
        return symbols, WORDS_LEFT if left else OK
