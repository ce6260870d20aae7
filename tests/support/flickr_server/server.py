"""The server: every request is counted, may fail, and is answered as Flickr does."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

from flickr_server.albums import Album
from flickr_server.faults import Fault, FaultyAnswers, unavailable_picture
from flickr_server.members import Member, Members, OwnPhoto
from flickr_server.oauth import OAuth, Refused, Signed

__all__ = ["KEY", "SECRET", "UPLOADED", "FlickrServer", "serving"]

# When the first photo of an album was put on Flickr; the others came daily.
UPLOADED = 1_600_000_000
KEY, SECRET = "k3yk3yk3yk3y", "s3cr3ts3cr3t"

Answer = dict[str, object]


def licenses() -> list[Answer]:
    """Flickr's licences as it lists them; the numbers after 10 are made up."""
    deed = "https://creativecommons.org"
    kinds = ("by-nc-sa", "by-nc", "by-nc-nd", "by", "by-sa", "by-nd")
    listed = [
        ("0", "All Rights Reserved", ""),
        *(
            (str(n), f"CC {k}", f"{deed}/licenses/{k}/2.0/")
            for n, k in enumerate(kinds, 1)
        ),
        (
            "7",
            "No known copyright restrictions",
            "https://www.flickr.com/commons/usage/",
        ),
        ("8", "United States Government Work", "http://www.usa.gov/copyright.shtml"),
        ("9", "Public Domain Dedication (CC0)", f"{deed}/publicdomain/zero/1.0/"),
        ("10", "Public Domain Mark", f"{deed}/publicdomain/mark/1.0/"),
        *(
            (str(n), f"CC {k}", f"{deed}/licenses/{k}/4.0/")
            for n, k in enumerate(kinds, 21)
        ),
    ]
    return [dict(zip(("id", "name", "url"), entry, strict=True)) for entry in listed]


def two_members() -> Members:
    """Zoë with a public and a private photo, and Li with one."""
    by_the_sea = OwnPhoto("5001", "By the sea", tags={"7-5001-a": "The Sea"})
    zoe = Member("7@N01", "zoe", "Zoë Ek", [by_the_sea, OwnPhoto("5002", "", False)])
    return Members(zoe, Member("8@N01", "li", "Li Wei", [OwnPhoto("6001", "A cat")]))


class FlickrServer(ThreadingHTTPServer):
    """Serves an album over HTTP on a free port of 127.0.0.1.

    ``fault`` says what goes wrong with a request; ``before_answer`` is called with
    the number of requests so far, when one has come and is not answered;
    ``carried_out`` with a call's method, when that is done and not answered; ``clock``
    tells the time at which ``calls`` came, into ``called_at``. Every picture and
    every new connection takes as many seconds longer as said.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, album: Album) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.album = album
        self.fault: Fault = lambda kind, what, n_before: None
        self.before_answer: Callable[[int], object] = lambda n_requests: None
        self.carried_out: Callable[[str], object] = lambda method: None
        self.pages_said: Callable[[int, int], int] = lambda page, pages: pages
        self.clock: Callable[[], float] = time.time
        self.members = two_members()
        self.at_browser = "7@N01"  # who consents
        self.oauth = OAuth(KEY, SECRET)
        self.fail_message = "no"
        self.oauth_fault: str | None = None  # of every request for a token
        self.hot = ["sea", "cat"]
        self.sizes = "tsnmzclo"
        self.picture_s = self.connection_s = 0.0
        self.closing = threading.Event()
        self.asked: Counter[tuple[str, str]] = Counter()
        self.faults: Counter[str] = Counter()
        self.calls: list[dict[str, str]] = []
        self.called_at: list[float] = []
        self._turn = threading.Lock()

    @property
    def n_requests(self) -> int:
        """How many requests have come."""
        return sum(self.asked.values())

    def fault_of(self, kind: str, what: str) -> str | None:
        """Count a request, and say what goes wrong with it."""
        with self._turn:
            n_before = self.asked[kind, what]
            self.asked[kind, what] += 1
            fault = self.fault(kind, what, n_before)
            self.faults[f"{kind} {fault}"] += 1
            if kind == "rest":
                self.called_at.append(self.clock())
            self.before_answer(self.n_requests)
        return fault

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up or are killed."""


@contextmanager
def serving(album: Album) -> Iterator[FlickrServer]:
    """Run a Flickr in a thread."""
    server = FlickrServer(album)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(FaultyAnswers, BaseHTTPRequestHandler):
    server: FlickrServer

    def setup(self) -> None:
        super().setup()
        self.server.closing.wait(self.server.connection_s)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        header = self.headers["Authorization"] or ""
        request = Signed.read("POST", self.server.url + self.path, header, body)
        place = urlsplit(self.path).path
        if place.startswith("/services/oauth/"):
            return self._oauth(place.rpartition("/")[2], request)
        if place != "/services/rest/":
            return self.send(404, b"not found", "text/plain")
        return self._rest(request)

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/services/oauth/authorize":
            return self._authorize(dict(parse_qsl(urlsplit(self.path).query)))
        if path == "/loop":
            return self.redirect(path)
        if path.endswith("photo_unavailable.png"):
            return self.send(200, unavailable_picture(), "image/png")
        self.server.closing.wait(self.server.picture_s)
        number = int(path.rpartition("/")[2].partition("_")[0])
        fault = self.server.fault_of("photo", str(number))
        return self.send_faulty(fault, self.server.album.picture(number), "image/jpeg")

    def _authorize(self, query: dict[str, str]) -> None:
        """Consent at once, and lead back, or show the code to type."""
        name, permission = query.get("oauth_token", ""), query.get("perms", "read")
        try:
            token = self.server.oauth.consent(name, permission, self.server.at_browser)
        except Refused as refused:
            return self.send(401, refused.message.encode(), "text/plain")
        if token.callback == "oob":
            return self.send(200, f"<b>{token.verifier}</b>".encode(), "text/html")
        answer = urlencode({"oauth_token": name, "oauth_verifier": token.verifier})
        return self.redirect(f"{token.callback}?{answer}")

    def _oauth(self, what: str, request: Signed) -> None:
        """Give a token, in a form's encoding, or say what the problem is."""
        try:
            if what == "request_token":
                answer = self.server.oauth.request_token(request)
            elif what == "access_token":
                name, token = self.server.oauth.access_token(request)
                member = self.server.members.all[token.member]
                answer = {
                    "fullname": member.fullname,
                    "oauth_token": name,
                    "oauth_token_secret": token.secret,
                    "user_nsid": member.nsid,
                    "username": member.username,
                }
            else:
                return self.send(404, b"not found", "text/plain")
        except Refused as refused:
            problem = urlencode({"oauth_problem": refused.problem})
            return self.send(401, problem.encode(), "text/plain")
        body, fault = urlencode(answer).encode(), self.server.oauth_fault
        return self.send_faulty(fault, body, "text/plain")

    def _rest(self, request: Signed) -> None:
        call = request.form
        self.server.calls.append(call)
        what = f"{call['method']} {call.get('tags')} {call.get('page')}"
        if "photo_id" in call:
            what += f" {call['photo_id']}"
        fault = self.server.fault_of("rest", what)
        if fault and fault.startswith("fail "):
            failed: Answer = {"stat": "fail", "code": int(fault[5:])}
            failed["message"] = self.server.fail_message
            return self.send(200, json.dumps(failed).encode(), "application/json")
        if fault and fault.startswith("early "):  # before the call is carried out
            return self.send_faulty(fault[6:], b"{}", "application/json")
        try:
            token = self.server.oauth.check(request)
            answer = self.server.members.answer(call, token) or self._answer(call)
        except Refused as refused:
            said = {"code": refused.code, "message": refused.message}
            answer = {"stat": "fail", **said}
        self.server.carried_out(call["method"])
        return self.send_faulty(fault, json.dumps(answer).encode(), "application/json")

    def _answer(self, call: dict[str, str]) -> Answer:
        if call["method"] == "flickr.tags.getHotList":
            tags = [{"_content": tag} for tag in self.server.hot]
            return {"hottags": {"count": len(tags), "tag": tags}, "stat": "ok"}
        if call["method"] == "flickr.photos.licenses.getInfo":
            return {"licenses": {"license": licenses()}, "stat": "ok"}
        if call["method"] != "flickr.photos.search":
            return {"stat": "fail", "code": 112, "message": "Method not found"}
        numbers = self.server.album.numbers_of(call["tags"])
        page, per_page = int(call["page"]), int(call["per_page"])
        pages = -(-len(numbers) // per_page)
        # As Flickr does, a page beyond the last repeats the last.
        start = (min(page, pages) - 1) * per_page
        photos = {
            "page": page,
            "pages": self.server.pages_said(page, pages),
            "perpage": per_page,
            "total": len(numbers),
            "photo": [self._record(n) for n in numbers[start : start + per_page]],
        }
        return {"photos": photos, "stat": "ok"}

    def _record(self, number: int) -> Answer:
        album = self.server.album
        record: Answer = {
            "id": str(1000 + number),
            "owner": f"{number % 9}@N01",
            "ownername": f"Zoë {number % 9}",
            "title": f"Photo\t{number}\nof a day",
            "license": str(number % 10 + 1),
            "views": str(number * 3),
            "dateupload": str(UPLOADED + number * 86_400),
            "tags": " ".join(album.tags_said(number)),
        }
        for size in self.server.sizes:
            record[f"url_{size}"] = f"{self.server.url}/photos/{number}_{size}.jpg"
            record[f"width_{size}"] = record[f"height_{size}"] = album.side
        return record
