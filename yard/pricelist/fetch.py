"""Where AWS's price lists come from: its own server, a mirror of it, or files that were downloaded before."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from rich.progress import Progress, TaskID

from yard.pricelist import PriceListError, Unreachable

AWS = "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws"
TIMEOUT = 30
"""Seconds without a byte."""
ATTEMPTS = 5
PAUSE = 1.0
"""Seconds before the second attempt; twice as long before each next one."""
CHUNK = 1 << 18
BUSY = {408, 429, 500, 502, 503, 504}
"""Answers that may be another one a moment later."""


@contextmanager
def fetched(base: str, service: str, region: str, progress: Progress) -> Iterator[IO[bytes]]:
    """A service's list for a region. `base`: a URL or a directory, laid out as at AWS. Raises `PriceListError`."""
    with _file(base, f"{service}/current/{region}/index.json", f"{region} {service}", progress) as file:
        yield file


def regions(base: str, service: str, progress: Progress) -> set[str]:
    """The regions for which there is a list of a service (the "region index" of AWS's bulk API). Raises
    `PriceListError`."""
    name = f"{service}/current/region_index.json"
    with _file(base, name, f"regions of {service}", progress) as file:
        try:
            return set(json.load(file)["regions"])
        except (ValueError, KeyError, TypeError) as error:
            raise PriceListError(f"{base.rstrip('/')}/{name} is not a list of regions in AWS's format") from error


@contextmanager
def _file(base: str, name: str, title: str, progress: Progress) -> Iterator[IO[bytes]]:
    where = f"{base.rstrip('/')}/{name}"
    if "://" not in base:
        with _local(Path(where)) as file:
            yield file
        return
    with TemporaryFile() as file:
        Download(where, file, progress, progress.add_task(title, total=None)).run()
        file.seek(0)
        yield file


def _local(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise PriceListError(f"{path}: {error.strerror}") from error


class Broken(Exception):
    """A transfer that stopped before its end."""


@dataclass
class Download:
    """A file on its way, which goes on where it broke off as long as the server still has the same one."""

    url: str
    file: IO[bytes]
    progress: Progress
    task: TaskID
    tag: str | None = field(default=None, init=False)
    """The server's name for the version that is being fetched."""

    def run(self) -> None:
        """Fetch it all; raises `PriceListError`."""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE * 2 ** (attempt - 1))
            try:
                return self._go_on()
            except Broken as error:
                reason = error
        raise PriceListError(f"{self.url} broke off {ATTEMPTS} times: {reason}")

    def _go_on(self) -> None:
        headers = {"Accept-Encoding": "identity"}
        if self.tag and self.file.tell():
            headers |= {"Range": f"bytes={self.file.tell()}-", "If-Range": self.tag}
        with self._answer(Request(self.url, headers=headers)) as response:
            if response.status != 206:  # from the start, whatever was asked for
                self.file.seek(0)
                self.file.truncate()
            self.tag = response.headers.get("ETag")
            self._receive(response)

    def _answer(self, request: Request) -> HTTPResponse:
        try:
            response: HTTPResponse = urlopen(request, timeout=TIMEOUT)
        except HTTPError as error:
            error.close()
            if error.code in BUSY:
                raise Broken(f"{error.code} {error.reason}") from error
            hint = "; a region that AWS does not have gets that answer, too" if error.code in (403, 404) else ""
            raise PriceListError(f"{self.url} answers {error.code} {error.reason}{hint}") from error
        except URLError as error:
            raise Unreachable(f"{self.url} cannot be reached: {error.reason}") from error
        except (OSError, HTTPException) as error:
            raise Broken(str(error)) from error
        return response

    def _receive(self, response: HTTPResponse) -> None:
        length = response.headers.get("Content-Length")
        total = self.file.tell() + int(length) if length else None
        while piece := self._read(response):
            self.file.write(piece)
            self.progress.update(self.task, completed=self.file.tell(), total=total)
        if total is not None and self.file.tell() < total:
            raise Broken(f"{self.file.tell()} of {total} bytes came")

    def _read(self, response: HTTPResponse) -> bytes:
        try:
            return response.read(CHUNK)
        except (OSError, HTTPException) as error:
            raise Broken(str(error) or type(error).__name__) from error
