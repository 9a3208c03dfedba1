"""Stands in for kubectl where a test must not depend on one: `--raw` requests, by the kubeconfig that is named."""

import json
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

METHODS = {"get": "GET", "create": "POST", "delete": "DELETE"}
NO_PROGRAM = (
    "error: Internal error occurred: error executing command in container: failed to exec in container: failed to"
    ' start exec "1": OCI runtime exec failed: exec failed: unable to start container process: exec: "{}":'
    " executable file not found in $PATH: unknown"
)


def install(folder: Path) -> None:
    """Put it into a folder for PATH."""
    folder.mkdir()
    program = folder / "kubectl"
    program.write_text(f"#!{sys.executable} -IS\n{Path(__file__).read_text(encoding='utf-8')}", encoding="utf-8")
    program.chmod(0o755)


def main(verb: str, *words: str) -> int:
    """One command."""
    config = json.loads(Path(words[words.index("--kubeconfig") + 1]).read_text(encoding="utf-8"))
    if verb == "config":
        json.dump(config, sys.stdout)
        return 0
    if verb == "exec":
        return inside(words)
    return raw(config, METHODS[verb], words[words.index("--raw") + 1])


def inside(words: tuple[str, ...]) -> int:
    """`exec`, of an image that has one program: `true`."""
    (program,) = words[words.index("--") + 1 :]
    if program == "true":
        print("inside")
        return 0
    print(NO_PROGRAM.format(program), file=sys.stderr)
    return 1


def raw(config: Any, method: str, path: str) -> int:
    """One request; what comes is printed as it comes."""
    host = urlsplit(config["clusters"][0]["cluster"]["server"]).netloc
    headers = {"Authorization": f"Bearer {config['users'][0]['user'].get('token')}"}
    connection = HTTPConnection(host)
    try:
        connection.request(method, path, sys.stdin.buffer.read() if method == "POST" else None, headers)
    except OSError:
        said = f"The connection to the server {host} was refused - did you specify the right host or port?"
        print(said, file=sys.stderr)
        return 1
    answer = connection.getresponse()
    if answer.status >= 400:
        refused = json.load(answer)
        print(f"Error from server ({refused['reason']}): {refused['message']}", file=sys.stderr)
        return 1
    for line in answer:
        sys.stdout.buffer.write(line)
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
