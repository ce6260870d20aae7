"""A rater over HTTP whose server is killed while answers are under way.

The rater does what the page's script does: an answer that nobody acknowledged is sent
again, under the same token, until somebody does.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import select
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from judging_pages import SECRET, TAGS, hidden_fields
from serving import Server, running_server, wait_for_end
from sqlalchemy import text

from lablr.annotation.database.database import Database
from lablr.annotation.database.tables import VERDICTS

# A dead worker is replaced at once: the usual pause, which grows, spares the machine.
AT_ONCE = """
from lablr.cli import main, supervisor
supervisor.FIRST_PAUSE_S = supervisor.LONGEST_PAUSE_S = 0
main()
"""
SERVE = (sys.executable, "-W", "error", "-c", AT_ONCE, "serve", "--port")
KILLS_A_LIFE = 5  # of a supervisor's; with the last one it dies, too
MOST_IN_PEACE = 3  # ratings between two kills
# Verdict -> how many decisions follow from it.
IMPLIED = {"top_right": 1, "one_of_k_right": 1, "none_right": len(TAGS)}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

Rating = tuple[int, str, str, int]  # photo, token, verdict, number of decisions


@dataclass
class Rater:
    """Rates as ann; ``acknowledged`` is what the server confirmed, in its order."""

    draw: random.Random
    server: Server | None = None
    cookie: str = ""
    answer: dict[str, str] = field(default_factory=dict)
    acknowledged: list[Rating] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # an answer in peace

    def sign_in(self) -> None:
        """Sign in and open the page, with a new answer ready to be sent."""
        form = hidden_fields(self._page("GET", "/rate/sign-in"))
        self._page("POST", "/rate/sign-in", urlencode({**form, "name": "ann"}))
        self._judge(self._page("GET", "/rate"))

    def rate(self, n_ratings: int) -> None:
        """Rate so many photos in peace."""
        for _ in range(n_ratings):
            start = time.perf_counter()
            self.send_until_told()
            self.seconds.append(time.perf_counter() - start)

    def send_until_told(self) -> None:
        """Send the answer when nobody kills: the first time has to do."""
        assert self.send(), "no answer, and nobody killed the server"

    def send(self, kill: Callable[[], None] | None = None) -> bool:
        """Send the answer, perhaps for the second time; whether it was acknowledged.

        kill : called between the sending and the answer's arrival, or just after it.
        """
        connection = self.server.connect()
        try:
            accept = {"Accept": "application/json", "Cookie": self.cookie}
            body = urlencode(self.answer)
            connection.request("POST", "/rate/ratings", body, {**FORM, **accept})
            if kill is not None:
                moment_s = self.draw.uniform(0, 1.5 * statistics.median(self.seconds))
                select.select([connection.sock], [], [], moment_s)
                kill()
            response = connection.getresponse()
            said = response.read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        assert response.status == 200, said
        verdict = self.answer["verdict"]
        self.acknowledged.append(
            (
                int(self.answer["photo"]),
                self.answer["token"],
                verdict,
                IMPLIED[verdict] + 1,  # and the typed one
            )
        )
        self._judge(json.loads(said)["html"])
        return True

    def _judge(self, page: str) -> None:
        verdict = self.draw.choice(VERDICTS)
        self.answer = {**hidden_fields(page), "verdict": verdict, "typed": "roof"}

    def _page(self, method: str, path: str, body: str | None = None) -> str:
        words = {"Cookie": self.cookie, **FORM}
        status, headers, page = self.server.request(method, path, body, words)
        assert status in (200, 303), page
        if "Set-Cookie" in headers:
            self.cookie = headers["Set-Cookie"].partition(";")[0]
        return page.decode()


def killer(server: Server, of_both: bool) -> Callable[[], None]:
    """Kills the worker, or its supervisor, too; returns when the worker has ended."""
    worker = os.pidfd_open(server.worker())

    def kill() -> None:
        if of_both:
            server.process.kill()  # first: it shall start no other worker
        signal.pidfd_send_signal(worker, signal.SIGKILL)
        wait_for_end(worker)
        os.close(worker)

    return kill


def rate_and_kill(
    database: Database, url: str, folder: Path, n_kills: int, seed: int = 0
) -> tuple[list[Rating], Counter[str]]:
    """Rate over HTTP while the server is killed so often.

    Of every five kills four are of the worker, and one is of both processes, which
    are then started again at the same port on the same database. The database has to
    hold photos enough, about four a kill. Returns the ratings that were acknowledged,
    and counts of what the kills met.
    """
    rater, met, port = Rater(random.Random(seed)), Counter(), 0
    settings = {"LABLR_DATABASE": url, "LABLR_SECRET_KEY": SECRET}
    for first in range(0, n_kills + 1, KILLS_A_LIFE):
        with running_server(folder, (*SERVE, str(port)), **settings) as server:
            port, rater.server = server.port, server
            if not first:
                rater.sign_in()
                rater.rate(MOST_IN_PEACE)
            rater.send_until_told()  # what was under way when the last one died
            for number in range(first, min(first + KILLS_A_LIFE, n_kills)):
                rater.rate(rater.draw.randint(0, MOST_IN_PEACE))
                is_last = number == first + KILLS_A_LIFE - 1
                met["kills"] += 1
                if rater.send(killer(server, of_both=is_last)):
                    met["answered all the same"] += 1
                elif is_stored(database, rater.answer["token"]):
                    met["stored, but not answered"] += 1
                else:
                    met["not stored"] += 1
                if not is_last:
                    rater.send_until_told()
    return rater.acknowledged, met


def is_stored(database: Database, token: str) -> bool:
    with database.reading() as session:
        found = text("SELECT count(*) FROM ratings WHERE token = :token")
        return bool(session.scalar(found, {"token": token}))


def stored_ratings(database: Database) -> list[Rating]:
    """Every rating that the database holds, in the order of their numbers."""
    decisions = "(SELECT count(*) FROM decisions WHERE rating_id = ratings.id)"
    query = f"SELECT photo_id, token, verdict, {decisions} FROM ratings ORDER BY id"  # noqa: S608
    with database.reading() as session:
        return [tuple(row) for row in session.execute(text(query))]
