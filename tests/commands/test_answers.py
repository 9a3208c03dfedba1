"""What a service answers, and how it is shown."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import click
import pytest

from yard import answers

SAYS = {
    "/": (200, b'{"version": "1"}'),
    "/null": (200, b"null"),
    "/odd": (200, b"\xff\x00 bytes"),
    "/down": (503, b'{"why": "no database"}'),
    "/teapot": (799, b""),
}


class Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = SAYS[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the tests look at what is answered."""


class Other(BaseHTTPRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"220 mail.example.com ESMTP\r\n")


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), getattr(request, "param", Service))
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_any_status_is_an_answer_with_its_body(url: str) -> None:
    found = {path: answers.ask(f"{url}{path}") for path in SAYS}
    assert {path: (each.status, each.body) for path, each in found.items()} == {
        "/": (200, {"version": "1"}),
        "/null": (200, "null"),
        "/odd": (200, "\ufffd\x00 bytes"),
        "/down": (503, {"why": "no database"}),
        "/teapot": (799, ""),
    }
    assert all(0 <= each.seconds < 10 for each in found.values())


@pytest.mark.parametrize("url", [Other], indirect=True)
def test_what_is_not_http_is_said(url: str) -> None:
    with pytest.raises(OSError, match=f"{url}/ does not answer in HTTP"):
        answers.ask(f"{url}/")


@pytest.mark.parametrize(
    ("status", "seconds", "want"),
    [
        (200, 0.0123, "answers 200 OK in 12 ms"),
        (503, 1.26, "answers 503 Service Unavailable in 1.3 s"),
        (799, 0.9, "answers 799 in 900 ms"),
        (None, None, "does not answer"),
    ],
)
def test_status_and_time_in_words(status: int | None, seconds: float | None, want: str) -> None:
    assert click.unstyle(answers.briefly({"status": status, "seconds": seconds, "answer": ""})) == want


@pytest.mark.parametrize(
    ("body", "want"),
    [
        ({"says": "grüezi"}, '    {"says": "grüezi"}\n'),
        (["a" * 40], f'    ["{"a" * 33}…\n'),
        ("two\nlines\tof  text", "    two lines of text\n"),
        ("日" * 30, f"    {'日' * 17}…\n"),
        ("\x1b[31mred\x1b[2J\a", "    red\n"),
        ("", ""),
        (None, ""),
        (0, "    0\n"),
    ],
    ids=str,
)
def test_the_body_is_one_line_no_broader_than_the_terminal(
    body: object, want: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    answers.show({"status": 200, "seconds": 0.1, "answer": body})
    assert capsys.readouterr().out == want
