"""The way to an engine: to a local one by its address, to one on EC2 by AWS Systems Manager."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from components.docker_engine import Engine, SwarmError, check_manager, connect, explain


@contextmanager
def connection(host: str, avoid: str = "") -> Iterator[Engine]:
    """The engine at `host`, or a manager of `ssm://REGION/STACK` but not the instance `avoid`.

    What fails within raises `SwarmError`.
    """
    remote = host.startswith("ssm://")
    engine = _on_ec2(host, avoid) if remote else _local(host)
    try:
        yield engine
    except APIError as error:
        raise SwarmError(in_block(explain(str(error.explanation or error)), remote)) from error
    except SwarmError as error:
        error.args = (in_block(str(error), remote),)
        raise
    except (DockerException, RequestException) as error:
        raise SwarmError(f"the Docker engine at {host} stopped answering: {error}") from error
    finally:
        engine.close()


def _on_ec2(host: str, avoid: str) -> Engine:
    from components.orchestrator.swarm_parts.ssm import open_manager  # a swarm off AWS does not load AWS's package

    return open_manager(host, avoid)


def _local(host: str) -> Engine:
    engine = connect(host)
    check_manager(engine, host)
    return engine


def in_block(text: str, remote: bool) -> str:
    """Advice names the keys of the local swarm's config block; on EC2 they are in another."""
    return re.sub(r"\bswarm\.(?=[a-z])", "swarm-ec2.", text) if remote else text
