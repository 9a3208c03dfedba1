"""A small client for the API server of a kubeconfig: as much as waiting and server-side apply need."""

import base64
import json
import ssl
import tempfile
from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import yaml

Object = dict[str, Any]
Verb = Literal["GET", "PATCH", "POST", "PUT", "DELETE"]
APPLY = "application/apply-patch+yaml"
STRICT = {"fieldValidation": "Strict"}
"""An unknown field is an error, not a warning."""
TIMEOUT = 30.0


class ApiError(Exception):
    """What the API server refused, in its own words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Api:
    """One cluster, as the user of one context of a kubeconfig with certificates in it."""

    def __init__(self, kubeconfig: str, context: str | None = None) -> None:
        config = yaml.safe_load(kubeconfig)
        chosen = _named(config["contexts"], context or config["current-context"])["context"]
        cluster = _named(config["clusters"], chosen["cluster"])["cluster"]
        user = _named(config["users"], chosen["user"])["user"]
        self.server: str = cluster["server"]
        self._open = _opener(cluster, user)
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}

    def call(
        self,
        verb: Verb,
        path: str,
        body: Object | None = None,
        content: str = "application/json",
        **query: str,
    ) -> Any:
        """One request. Raises `ApiError`; an `OSError` when nobody answers."""
        url = f"{self.server}{path}{'?' + urlencode(query) if query else ''}"
        data = None if body is None else json.dumps(body).encode()
        request = Request(url, data, {"Content-Type": content, "Accept": "application/json"}, method=verb)
        try:
            with self._open(request, timeout=TIMEOUT) as response:
                text = response.read().decode()
        except HTTPError as error:
            raise ApiError(error.code, _message(error)) from error
        return json.loads(text) if text.startswith("{") else text

    def get(self, path: str, **query: str) -> Any:
        """What is at `path`; None when there is nothing."""
        try:
            return self.call("GET", path, None, **query)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def apply(self, wanted: Object, manager: str, *, force: bool = False, dry_run: bool = False) -> Any:
        """Server-side apply. A field that another manager has set to something else is refused (409) without `force`;
        `dry_run` only asks what would be."""
        options = {"fieldManager": manager, "force": json.dumps(force), **({"dryRun": "All"} if dry_run else {})}
        return self.call("PATCH", self.path(wanted), wanted, APPLY, **STRICT, **options)

    def path(self, wanted: Object) -> str:
        """Where an object is, by its kind, namespace and name."""
        version, metadata = wanted["apiVersion"], wanted["metadata"]
        plural, namespaced = self._kind(version, wanted["kind"])
        space = f"/namespaces/{metadata.get('namespace', 'default')}" if namespaced else ""
        return f"{_root(version)}{space}/{plural}/{metadata['name']}"

    def _kind(self, version: str, kind: str) -> tuple[str, bool]:
        if kind not in self._kinds.get(version, {}):
            found = self.get(_root(version)) or {"resources": []}
            self._kinds[version] = {
                each["kind"]: (each["name"], each["namespaced"])
                for each in found["resources"]
                if "/" not in each["name"]
            }
        try:
            return self._kinds[version][kind]
        except KeyError:
            raise ApiError(404, f'no matches for kind "{kind}" in version "{version}"') from None


def _root(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _named(entries: list[Object], name: str) -> Object:
    return next(each for each in entries if each["name"] == name)


def _opener(cluster: Mapping[str, str], user: Mapping[str, str]) -> Callable[..., Any]:
    context = ssl.create_default_context(cadata=_decoded(cluster["certificate-authority-data"]))
    # OpenSSL reads a client's certificate from a file alone.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(_decoded(user["client-certificate-data"]) + _decoded(user["client-key-data"]))
        file.flush()
        context.load_cert_chain(file.name)
    return build_opener(ProxyHandler({}), HTTPSHandler(context=context)).open


def _decoded(data: str) -> str:
    return base64.b64decode(data).decode()


def _message(error: HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip() or str(error)
