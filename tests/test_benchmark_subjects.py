# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The pure parts of the measurements of single subjects: charts, pages, sums."""

from __future__ import annotations

import gc
import json
import os
import re
import resource
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree

from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, TestCase

from benchmarks.__main__ import SUBJECTS
from benchmarks.__main__ import main as main_of_all
from benchmarks.chart import Panel, bar_chart, line_chart, short, steps
from benchmarks.crowd import Crowd, affordable
from benchmarks.generator import Figures
from benchmarks.growth import make_rooms
from benchmarks.handshakes import Rate, dance, logins, rates_table, upgrade
from benchmarks.lag import probed_command, share_of
from benchmarks.memory import Mixed, memory_bytes, mixed_table
from benchmarks.options import Options, joined, parser, split, with_section
from benchmarks.probe import Probe
from benchmarks.report import INTRODUCTION, fan_out_chart
from benchmarks.rounds import Case
from benchmarks.variants import chatmux
from benchmarks.wire import Door

_SVG = "{http://www.w3.org/2000/svg}"


class StepsTests(TestCase):
    def test_reach_from_zero_over_the_highest(self) -> None:
        for highest in (0.003, 1.0, 7.0, 10.0, 99.9, 100.0, 12_345_678.0):
            found = steps(highest)
            self.assertEqual(found[0], 0)
            self.assertGreaterEqual(found[-1], highest * (1 - 1e-9))
            self.assertLess(found[-2], highest)
            self.assertLessEqual(len(found), 7)

    def test_are_round(self) -> None:
        self.assertEqual(steps(9.4e6), [0, 2e6, 4e6, 6e6, 8e6, 10e6])
        self.assertEqual(steps(0), [0, 1])

    def test_short_numbers(self) -> None:
        written = {0: "0", 0.25: "0.25", 40: "40", 2_500: "2.5 k", 1e7: "10 M"}
        for number, text in written.items():
            self.assertEqual(short(number), text)


class ChartTests(TestCase):
    def places(self, chart: str) -> list[list[list[float]]]:
        lines = ElementTree.fromstring(chart).iter(f"{_SVG}polyline")
        return [
            [
                [float(n) for n in pair.split(",")]
                for pair in line.attrib["points"].split()
            ]
            for line in lines
        ]

    def test_powers_of_ten_are_evenly_spaced(self) -> None:
        panel = Panel("t", "b", {"a": [(10, 1), (100, 1), (1_000, 1)]})
        (line,) = self.places(line_chart([panel]))
        left, middle, right = (x for x, _ in line)
        self.assertAlmostEqual(middle - left, right - middle, delta=0.2)

    def test_what_is_flat_is_flat_and_what_is_twice_is_twice_as_high(self) -> None:
        lines = {"a": [(1, 5.0), (10, 5.0)], "b": [(1, 10.0), (10, 0.0)]}
        flat, falling = self.places(line_chart([Panel("t", "b", lines)]))
        self.assertEqual(flat[0][1], flat[1][1])
        ground = falling[1][1]
        self.assertAlmostEqual(
            ground - falling[0][1], 2 * (ground - flat[0][1]), delta=0.2
        )

    def test_one_point_alone_can_be_drawn(self) -> None:
        self.assertEqual(
            len(self.places(line_chart([Panel("t", "b", {"a": [(7, 0)]})]))), 1
        )

    def test_names_cannot_break_the_picture(self) -> None:
        name = '<b> & "c"'
        for chart in (
            line_chart([Panel(name, name, {name: [(1, 1), (2, 2)]})]),
            bar_chart(name, [(name, 1)], "x"),
        ):
            texts = [one.text for one in ElementTree.fromstring(chart).iter()]
            self.assertIn(name, texts)

    def test_bars_are_as_long_as_their_values(self) -> None:
        chart = ElementTree.fromstring(bar_chart("t", [("a", 4), ("b", 2)], "a"))
        bars = [
            one for one in chart.iter(f"{_SVG}rect") if "bar" in one.attrib["class"]
        ]
        first, second = (float(one.attrib["width"]) for one in bars)
        self.assertAlmostEqual(first, 2 * second, delta=0.2)
        self.assertNotEqual(bars[0].attrib["class"], bars[1].attrib["class"])

    def test_colours_for_light_and_dark(self) -> None:
        chart = bar_chart("t", [("a", 1)], "a")
        light, _, dark = chart.partition("prefers-color-scheme: dark")
        for name in (".ground", "text", ".quiet", ".rule", ".s0", ".s1", ".s2", ".s3"):
            pattern = re.escape(name) + r" \{[^}]*#[0-9a-f]{6}"
            self.assertRegex(light, pattern)
            self.assertRegex(dark, pattern)

    def test_fan_out_of_one_load_the_fastest_first(self) -> None:
        def figures(rate: float) -> Figures:
            return Figures(rate, 1.0, 1.0, 0, 1.0)

        chart = fan_out_chart(
            {
                Case("slow", "nats", 100, 64): figures(1),
                Case("chatmux", "machat", 100, 64): figures(9),
                Case("chatmux", "machat", 100, 512): figures(7),
            },
            100,
            64,
        )
        ends = [
            one.text
            for one in ElementTree.fromstring(chart).iter(f"{_SVG}text")
            if one.attrib.get("text-anchor") == "end"
        ]
        self.assertEqual(ends, ["chatmux, machat", "slow, nats"])


class PageTests(TestCase):
    page = "# Page\n\nWords.\n\n## One\n\nfirst\n\n### Deeper\n\n## Two\n\nsecond\n"

    def test_taken_apart_and_put_together(self) -> None:
        self.assertEqual(joined(*split(self.page)), self.page)

    def test_a_section_is_replaced_in_its_place(self) -> None:
        self.assertEqual(
            with_section(self.page, "One", "new\n"),
            "# Page\n\nWords.\n\n## One\n\nnew\n\n## Two\n\nsecond\n",
        )

    def test_a_new_section_comes_last(self) -> None:
        self.assertEqual(
            with_section(self.page, "Three", "third"),
            f"{self.page}\n## Three\n\nthird\n",
        )
        self.assertEqual(with_section("", "One", "1"), "## One\n\n1\n")

    def test_told_and_put_into_the_page(self) -> None:
        path = Path(self.mktemp())
        path.write_text(self.page)
        options = Options()
        arguments = ["--markdown", str(path)]
        parser("x", None, seconds=1).parse_args(arguments, options)
        self.assertEqual(options.rounds, 3)
        options.tell("Two", "µ")
        self.assertTrue(path.read_text(encoding="utf-8").endswith("## Two\n\nµ\n"))

    def test_every_subject_is_named_on_the_page(self) -> None:
        for name in SUBJECTS:
            self.assertIn(f"`{name}`", INTRODUCTION)

    def test_every_subject_says_what_can_be_asked(self) -> None:
        for name in SUBJECTS:
            with self.assertRaises(SystemExit) as end:
                main_of_all([name, "--help"])
            self.assertEqual(end.exception.code, 0)


class SumTests(TestCase):
    def test_share_of_the_collector(self) -> None:
        share = share_of(
            {
                "seconds": 9.0,
                "cpu_seconds": 2.0,
                "lags": [0.001] * 99 + [0.5],
                "pauses": [[0.01, 0.02], [], [0.07]],
                "collected": 3,
            }
        )
        self.assertAlmostEqual(share.collector, 0.05)
        self.assertAlmostEqual(share.pause_ms, 70)
        self.assertEqual((share.runs, share.full, share.garbage), (3, 1, 3))
        self.assertAlmostEqual(share.p99_ms, 1)
        self.assertAlmostEqual(share.worst_ms, 500)

    def test_share_of_nothing(self) -> None:
        figures = {"cpu_seconds": 0, "lags": [], "pauses": [[], [], []], "collected": 0}
        share = share_of(figures)
        self.assertEqual((share.collector, share.pause_ms, share.worst_ms), (0, 0, 0))

    def test_medians_of_rates(self) -> None:
        runs = [Rate(n, 2 * n, 3 * n, 4 * n) for n in (1.0, 5.0, 900.0)]
        shown = rates_table({("chatmux", "globes", "login"): runs}).splitlines()[2]
        cells = [cell.strip() for cell in shown.split("|")[1:-1]]
        self.assertEqual(cells, ["chatmux", "globes", "login", "5", "10", "15", "20"])

    def test_many_connections(self) -> None:
        found = Mixed(
            opened=1_024,
            opening_seconds=2.0,
            opening_cpu_seconds=1.0,
            memory_bytes=3 << 20,
            hear_ms=[5.0, 4.0],
            missed=0,
            twice=0,
            answered=1_024,
        )
        shown = mixed_table(found)
        for words in ("1,024", "3 MiB", "3.0 KiB", "4 to 5 ms"):
            self.assertIn(f" {words} |", shown)

    def test_memory_of_this_process(self) -> None:
        (status,) = re.findall(
            r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text()
        )

        # Trial's assertAlmostEqual knows no delta, and some may come in between.
        ratio = memory_bytes(os.getpid()) / 1024 / int(status)
        self.assertLess(abs(ratio - 1), 0.1)


class ProbeTests(TestCase):
    def test_counts_collections_and_writes_lags(self) -> None:
        file = Path(self.mktemp())
        clock = Clock()
        probe = Probe(clock, file)
        probe._call_again()
        gc.callbacks.append(probe._collecting)
        self.addCleanup(gc.callbacks.remove, probe._collecting)
        probe.begin()
        gc.collect()
        clock.pump([0.01] * 3)
        probe.end()
        figures = json.loads(file.read_text())
        self.assertEqual(len(figures["pauses"][2]), 1)
        self.assertEqual(len(figures["lags"]), 3)
        probe.begin()
        probe.end()
        self.assertEqual(json.loads(file.read_text())["lags"], [])

    def test_goes_before_the_same_options(self) -> None:
        command = ["/bin/twistd", "-n", "chatmux", "--config", "c.json"]
        probed = probed_command("frozen", Path("/x/out.json"), command)
        self.assertEqual(
            probed[1:5], ["-m", "benchmarks.probe", "frozen", "/x/out.json"]
        )
        self.assertEqual(probed[5:], command[1:])


class VariantTests(TestCase):
    def test_keys_are_changed_and_the_others_stay(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        start = chatmux(
            changes={"webtalk": {"absent-seconds": 5}, "limits": {"ping-seconds": 7}},
            command=lambda command: ["probe", *command],
        )
        launch = start(directory)
        if launch is None:
            raise SkipTest("there is no twistd")
        config = json.loads((directory / "config.json").read_text())
        self.assertEqual(config["webtalk"]["absent-seconds"], 5)
        self.assertIn("private", config["webtalk"])
        self.assertEqual(config["limits"], {"ping-seconds": 7})
        self.assertEqual(launch.command[0], "probe")


class Peer:
    """Accepts connections on loopback, one after the other, and plays its part."""

    def __init__(self, case: TestCase, part: Callable[[socket.socket], None]) -> None:
        door = socket.create_server(("127.0.0.1", 0))
        self.port: int = door.getsockname()[1]
        self._door, self._part = door, part
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        case.addCleanup(self._thread.join)

    def _run(self) -> None:
        with self._door, self._door.accept()[0] as sock:
            sock.settimeout(10)
            self._part(sock)


class SocketTests(TestCase):
    def test_dance_waits_for_each_answer(self) -> None:
        came: list[bytes] = []

        def part(sock: socket.socket) -> None:
            came.append(sock.recv(99))
            sock.sendall(b"HTTP/1.1 101\r\n")
            sock.sendall(b"\r\n")
            came.append(sock.recv(99))
            sock.sendall(b'{"action":"register-ack"}')

        peer = Peer(self, part)
        dance(peer.port, [(b"GET", b"\r\n\r\n"), (b"register", b"ack")])
        self.assertEqual(came, [b"GET", b"register"])

    def test_dance_with_who_hangs_up(self) -> None:
        peer = Peer(self, lambda sock: sock.sendall(sock.recv(99)[:1]))
        with self.assertRaises(ConnectionError):
            dance(peer.port, [(b"GET", b"\r\n\r\n")])

    def test_newcomers_have_names_of_their_own(self) -> None:
        for wire in ("multichat", "machat-ws", "globes"):
            door = Door(wire, 1)
            self.assertIn(b"Upgrade: websocket", upgrade(door)[0])
            words = logins(door)
            self.assertNotEqual(next(words), next(words), wire)

    def test_rooms_are_made_and_a_refusal_is_told(self) -> None:
        def answers(statuses: Sequence[str]) -> Callable[[socket.socket], None]:
            def part(sock: socket.socket) -> None:
                data = b""
                while data.count(b"POST /chats") < len(statuses):
                    data += sock.recv(9_999)
                for status in statuses:
                    head = f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}"
                    sock.sendall(head.encode())

            return part

        make_rooms(Peer(self, answers(["201 Created"] * 3)).port, 4, 7)
        with self.assertRaises(ConnectionError):
            refusing = Peer(self, answers(["201 Created", "400 Bad Request"]))
            make_rooms(refusing.port, 4, 6)


class CrowdTests(TestCase):
    def crowd(self, count: int) -> tuple[Crowd, list[socket.socket]]:
        crowd = Crowd()
        far: list[socket.socket] = []
        for index in range(count):
            # What is sent in pieces comes in pieces.
            near, other = socket.socketpair(type=socket.SOCK_SEQPACKET)
            self.addCleanup(other.close)
            door = Door("machat" if index % 2 else "multichat", 1)
            crowd.sockets.append((door, near))
            far.append(other)
        self.addCleanup(crowd.__exit__)
        return crowd, far

    def test_each_one_is_counted_by_itself(self) -> None:
        crowd, far = self.crowd(3)
        far[0].sendall(b"..hello.hello..")
        far[1].sendall(b"hel")
        far[1].sendall(b"lo")
        heard = crowd.hear(b"hello", 0.05)
        counts = [heard.counts[near.fileno()] for _, near in crowd.sockets]
        self.assertEqual(counts, [2, 1, 0])
        self.assertEqual(len(heard.counts), 2)

    def test_a_text_of_one_byte_is_not_counted_twice(self) -> None:
        crowd, far = self.crowd(1)
        far[0].sendall(b"x")
        far[0].sendall(b"y")
        self.assertEqual(sum(crowd.hear(b"x", 0.05).counts.values()), 1)

    def test_signs_of_life(self) -> None:
        crowd, far = self.crowd(4)
        far[0].sendall(b"\x8a\x04seen")
        far[1].close()
        self.assertEqual(crowd.pongs(0.05), 1)
        self.assertEqual(far[2].recv(99)[:2], b"\x89\x84")
        self.assertEqual(crowd.ends(0.05), 1)
        self.assertEqual(far[3].recv(99), b"")

    def test_no_more_than_the_process_may_hold(self) -> None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.assertEqual(affordable(5), 5)
        if hard != resource.RLIM_INFINITY:
            self.assertLess(affordable(hard + 1), hard)

    def test_leaving_closes(self) -> None:
        crowd, far = self.crowd(2)
        crowd.leave("multichat")
        self.assertEqual(far[0].recv(9), b"")
        self.assertEqual([door.wire for door, _ in crowd.sockets], ["machat"])
