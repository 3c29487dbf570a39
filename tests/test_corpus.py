# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Malformed inputs of all kinds, each sent in three ways to a server with all doors."""

from __future__ import annotations

import base64
import http.client
import json
import threading
import time

from twisted.trial.unittest import SynchronousTestCase

from tests.attack import AttackTestCase, Target
from tests.corpus import DIRECTORY, dumped, load
from tests.corpus.make import KINDS, entries
from tests.corpus.make_tokens import KEY
from tests.corpus_judge import Heard, Judge, Trial
from tests.corpus_sender import WAYS, run
from tests.server import DEADLINE_SECONDS

TRIES = 3
"""For what is not done in a second: others may stop this machine for a while."""


class CorpusTests(SynchronousTestCase):
    def test_it_is_what_its_rules_make(self) -> None:
        for kind in KINDS:
            made = dumped(entries(kind))
            kept = (DIRECTORY / f"{kind}.jsonl").read_text()
            self.assertTrue(kept == made, f"run python -m tests.corpus.make: {kind}")

    def test_it_has_enough_of_each_kind_and_none_twice(self) -> None:
        for kind, (least, _) in KINDS.items():
            names = [entry["name"] for entry in load(kind)]
            self.assertGreaterEqual(len(names), least)
            self.assertEqual(len(names), len(set(names)), kind)


class SentTests(AttackTestCase):
    def test_each_has_its_outcome_whole(self) -> None:
        self.try_all("whole")

    def test_each_has_its_outcome_byte_by_byte(self) -> None:
        self.try_all("byte by byte")

    def test_each_has_its_outcome_in_random_pieces(self) -> None:
        self.try_all("in random pieces")

    def try_all(self, way: str) -> None:
        self.assertIn(way, WAYS)

        def attack(target: Target) -> None:
            judge = Judge(target, way, _room(target))
            watcher = Heard(target)
            listening = threading.Thread(target=watcher.listen)
            listening.start()
            self.addCleanup(listening.join)
            trials, hanging = self.attempt(judge)
            watcher.end()
            listening.join(DEADLINE_SECONDS)
            self.assertFalse(listening.is_alive(), "what was carried is not complete")
            faults = [f"{words}: hangs" for words in hanging]
            for trial in trials:
                fault = trial.fault(watcher.texts[trial.name] if trial.name else [])
                if fault is not None:
                    faults.append(f"{trial.words}: {fault}")
            if faults:
                self.fail("\n".join(faults))
            for word in ("Traceback", "Unhandled", "raised"):
                self.assertNotIn(word, target.log)

        self.survives(attack, globes={"secret-key": KEY.decode()})

    def attempt(self, judge: Judge) -> tuple[list[Trial], list[str]]:
        """Send all; return what was done, and what has hung however often it was."""
        pairs = [(kind, entry) for kind in KINDS for entry in load(kind)]
        done: list[Trial] = []
        hanging: list[str] = []
        for _ in range(TRIES):
            trials = [one for pair in pairs for one in judge.trials(*pair)]
            trials = [one for one in trials if not hanging or one.words in hanging]
            run(trial.exchange for trial in trials)
            done += [one for one in trials if one.exchange.seconds is not None]
            hanging = [one.words for one in trials if one.exchange.seconds is None]
            if not hanging:
                break
        return done, hanging


def _room(target: Target) -> dict[str, int]:
    """Make a protected room; return what a token of it has to say."""
    client = http.client.HTTPConnection("127.0.0.1", target.port["globes"])
    wish = {"title": "guarded", "visibility": "private", "password": "open sesame"}
    login = {"name": "ann", "secret": "open sesame"}
    client.request("POST", "/chats", json.dumps(wish))
    room = json.loads(client.getresponse().read())["id"]
    client.request("POST", f"/chats/{room}/token", json.dumps(login))
    token = json.loads(client.getresponse().read())["token"]
    client.close()
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    now = int(time.time())
    return {"ROOM": room, "GEN": claims["gen"], "NOW": now, "EXP": now + 3600}
