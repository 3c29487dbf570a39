# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The pure parts of the benchmark: markers, frames, figures and tables."""

from __future__ import annotations

import json
import socket
from array import array
from pathlib import Path

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SkipTest, TestCase

from benchmarks.__main__ import parse
from benchmarks.generator import Figures, cpu_seconds, percentile_ms
from benchmarks.marker import (
    MARKER_BYTES,
    MAX_RUN_SECONDS,
    NEEDLE,
    MarkerCount,
    cut_length,
    marker,
)
from benchmarks.report import fan_out_table, light_load_table, table
from benchmarks.rounds import Case, median_figures
from benchmarks.servers import SYSTEMS, free_ports
from benchmarks.wire import WIRES, Hears, text_frame
from chatmux.config import read
from chatmux.node import SECTIONS, Node

_SLOW = Figures(1_000.0, 2.0, 4.0, 0, 5.0)
_FAST = Figures(25_500.0, 1.0, 3.0, 0, 0.25)


def _feed(counter: MarkerCount, stream: int, data: bytes, now_ns: int = 0) -> None:
    counter.space[: len(data)] = data
    counter.took(stream, len(data), now_ns)


class MarkerTests(TestCase):
    def test_marker_is_prefix_digits_and_fill(self) -> None:
        self.assertEqual(marker(12, 24), b"~~0000000000000000012xxx")
        self.assertEqual(len(marker(12)), MARKER_BYTES)

    def test_longest_run_still_has_the_needle(self) -> None:
        text = marker(MAX_RUN_SECONDS * 1_000_000_000)
        self.assertTrue(text.startswith(NEEDLE))

    def test_cut_length(self) -> None:
        cuts = {b"": 0, b"x": 0, b"~": 1, b"~~": 2, b"x~~~": 2, b"~~00": 4, b"~0": 0}
        for data, length in cuts.items():
            self.assertEqual(cut_length(data), length, data)

    def test_every_cut_of_a_stream_counts_the_same(self) -> None:
        stream = b"~0~" + b"".join(b"\x81~\x00~" + marker(n, 30) for n in range(3))
        for first in range(1, len(stream) - 1):
            for second in range(first + 1, len(stream)):
                counter = MarkerCount()
                _feed(counter, 1, stream[:first])
                _feed(counter, 1, stream[first:second])
                _feed(counter, 1, stream[second:])
                self.assertEqual(counter.count, 3, (first, second))

    def test_bytes_one_by_one(self) -> None:
        counter = MarkerCount()
        for byte in marker(5, 64) * 4:
            _feed(counter, 1, bytes((byte,)))
        self.assertEqual(counter.count, 4)

    def test_streams_are_kept_apart(self) -> None:
        counter = MarkerCount()
        text = marker(5)
        _feed(counter, 1, text[:4])
        _feed(counter, 2, text[4:])
        self.assertEqual(counter.count, 0)
        _feed(counter, 1, text[4:])
        self.assertEqual(counter.count, 1)

    def test_one_sample_a_read(self) -> None:
        counter = MarkerCount()
        _feed(counter, 1, b"head " + marker(1_000) + marker(2_000), now_ns=5_000)
        self.assertEqual(list(counter.samples), [4_000])
        self.assertEqual(counter.count, 2)

    def test_reset_forgets_what_was_counted(self) -> None:
        counter = MarkerCount()
        _feed(counter, 1, marker(1) + b"~~")
        counter.reset()
        _feed(counter, 1, marker(1)[2:])
        self.assertEqual(counter.count, 1)

    def test_reading_from_a_socket(self) -> None:
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        self.addCleanup(far.close)
        counter = MarkerCount()
        far.sendall(marker(1, 64) * 10)
        counter.took(1, near.recv_into(counter.space), 2)
        self.assertEqual(counter.count, 10)


class WireTests(TestCase):
    def unmask(self, frame: bytes, head: int) -> bytes:
        key, body = frame[head : head + 4], frame[head + 4 :]
        return bytes(byte ^ key[i % 4] for i, byte in enumerate(body))

    def test_frame_lengths(self) -> None:
        for size, head in ((0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)):
            payload = bytes(i % 251 for i in range(size))
            frame = text_frame(payload)
            self.assertEqual(frame[0], 0x81)
            self.assertEqual(self.unmask(frame, head), payload, size)
        self.assertEqual(text_frame(b"x" * 126)[1:4], b"\xfe\x00\x7e")

    def test_multichat_message_is_json(self) -> None:
        frame = WIRES["multichat"].message("s0", marker(7, 30))
        packet = json.loads(self.unmask(frame, 2))
        self.assertEqual(packet["action"], "client-message")
        self.assertEqual(packet["content"].encode(), marker(7, 30))

    def test_globes_message_is_the_senders_event(self) -> None:
        frame = WIRES["globes"].message("s0", marker(7, 30))
        event = json.loads(self.unmask(frame, 2))
        text = marker(7, 30).decode()
        self.assertEqual(event, {"event_type": "send", "name": "s0", "msg": text})

    def test_line_protocols(self) -> None:
        self.assertEqual(WIRES["machat"].message("s0", b"hi"), b"hi\n")
        self.assertEqual(WIRES["nats"].message("s0", b"hi"), b"PUB bench 2\r\nhi\r\n")
        self.assertEqual(
            WIRES["redis"].message("s0", b"hi"),
            b"*3\r\n$7\r\nPUBLISH\r\n$5\r\nbench\r\n$2\r\nhi\r\n",
        )

    def test_webtalk_message_is_a_frame(self) -> None:
        self.assertEqual(WIRES["webtalk"].message("s0", b"hi"), b"00012[shout] 1!hi")

    def test_who_hears(self) -> None:
        self.assertEqual(Hears.RECEIVERS.deliveries(100, 4), 100)
        self.assertEqual(Hears.OTHERS.deliveries(100, 4), 103)
        self.assertEqual(Hears.EVERYONE.deliveries(100, 4), 104)


class FiguresTests(TestCase):
    def test_percentile(self) -> None:
        samples = array("q", range(0, 101_000_000, 1_000_000))
        self.assertEqual(percentile_ms(samples, 0.5), 50.0)
        self.assertEqual(percentile_ms(samples, 0.99), 99.0)
        self.assertEqual(percentile_ms(array("q"), 0.5), 0.0)

    def test_no_process_used_no_time(self) -> None:
        self.assertEqual(cpu_seconds(0), 0.0)

    def test_medians_hide_no_loss(self) -> None:
        lossy = Figures(500.0, 9.0, 9.0, 7, 9.0)
        found = median_figures([_SLOW, lossy, _FAST])
        self.assertEqual(found, Figures(1_000.0, 2.0, 4.0, 7, 5.0))


class TableTests(TestCase):
    def test_columns_are_aligned(self) -> None:
        lines = table(["a", "b", "n"], [["long", "b", "1"], ["x", "y", "22"]])
        self.assertEqual(
            lines.splitlines(),
            [
                "| a    | b |  n |",
                "|------|---|---:|",
                "| long | b |  1 |",
                "| x    | y | 22 |",
            ],
        )

    def test_ratio_is_to_the_naive_server_under_the_same_load(self) -> None:
        shown = fan_out_table(
            {
                Case("chatmux", "multichat", 100, 64): _FAST,
                Case("naive Autobahn", "multichat", 100, 64): _SLOW,
                Case("chatmux", "multichat", 100, 512): _FAST,
            }
        )
        cells = [[c.strip() for c in line.split("|")] for line in shown.splitlines()]
        self.assertEqual([row[6] for row in cells[2:]], ["25.5", "1.0", "-"])
        self.assertEqual(cells[2][5], "25,500")

    def test_light_load(self) -> None:
        shown = light_load_table({Case("chatmux", "machat", 1_000, 64): _FAST})
        self.assertIn("| chatmux | machat   |    1.0 |    3.0 |    0 |", shown)


class CommandLineTests(TestCase):
    def test_defaults(self) -> None:
        options = parse([])
        loads = [(100, 64), (100, 512), (1_000, 64), (1_000, 512)]
        self.assertEqual(options.loads, loads)
        self.assertEqual(options.rounds, 3)
        self.assertEqual(options.only, list(SYSTEMS))

    def test_quick_can_be_changed(self) -> None:
        options = parse(["--quick", "--receivers", "5,6"])
        self.assertEqual(options.loads, [(5, 64), (6, 64)])
        self.assertEqual(options.rounds, 1)

    def test_only_takes_the_beginning_of_names(self) -> None:
        options = parse(["--only", "chatmux,naive"])
        self.assertEqual(options.only, ["chatmux", "chatmux bridged", "naive Autobahn"])

    def test_chatmux_can_be_served_as_configured(self) -> None:
        for name in ("chatmux", "chatmux bridged"):
            directory = Path(self.mktemp())
            directory.mkdir()
            launch = SYSTEMS[name](directory)
            if launch is None:
                raise SkipTest("there is no twistd")
            config = read(directory / "config.json", SECTIONS, {})
            node = Node(config, MemoryReactorClock())
            ports = {int(one.address.split(":")[1]) for one in node.listeners}
            self.assertEqual({p for door in launch.doors for p in door.ports()}, ports)

    def test_ports_are_different(self) -> None:
        self.assertEqual(len(set(free_ports(5))), 5)
