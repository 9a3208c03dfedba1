"""Pull requests, one after the other, to a project with one stack; beside each its comment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.program import DIGEST

HERE = Path(__file__).parent
API: Mapping[str, Any] = {"digest": DIGEST, "replicas": 2, "secrets": {"TOKEN": {"secure": "v1:one"}}}
WEB = {"digest": DIGEST, "path": "/web"}
BASE: Mapping[str, Any] = {
    "aws:region": "us-east-1",
    "registry": "ecr",
    "orchestrator": "ecs-fargate",
    "services": {"api": API},
}
DOMAIN = {"name": "api.example.com", "zone": "example.com"}
HOSTILE = "`</code></details><img src=x onerror=alert(1)> | @everyone #1 [x](https://evil.example) \u202e **now**"


@dataclass(frozen=True)
class PullRequest:
    """What it makes of the configuration."""

    name: str
    changes: Mapping[str, Any]
    """Keys, and what they are then."""

    @property
    def comment(self) -> Path:
        """What `yard diff --markdown` says of it."""
        return HERE / f"{self.name}.md"


def services(**changed: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the services are then."""
    return {"services": changed}


MORE = {**API, "replicas": 3, "cpu": 0.5, "memory": 1024}
TURNED = {**MORE, "secrets": {"TOKEN": {"secure": "v1:two"}}}
ODD = {**TURNED, "env": {"GREETING": HOSTILE}}

MERGED = (
    PullRequest("a_new_service", services(api=API, web=WEB)),
    PullRequest("more_of_it", services(api=MORE, web=WEB)),
    PullRequest("another_secret", services(api=TURNED, web=WEB)),
    PullRequest("a_domain", {"domain": DOMAIN}),
    PullRequest("a_replaced_certificate", services(api=TURNED, web={**WEB, "host": "web.example.com"})),
    PullRequest("another_orchestrator", {"orchestrator": "eks", "eks": {"access": ["203.0.113.0/24"]}}),
    PullRequest("a_service_less_and_a_hostile_value", services(api=ODD)),
)
"""Those that can be brought up, each upon the one before it."""
REFUSED = (
    PullRequest("a_typo", {"orchestrator": "ecs-fragate", **services(api={**API, "replics": 3})}),
    PullRequest("a_secret_in_plain", services(api={**API, "secrets": {"TOKEN": "hunter2"}})),
)
"""Those whose configuration is wrong, upon the first."""
UNGUARDED = PullRequest("a_policy_broken", {"protect": False})
"""Production without its guards, which is not forbidden and breaks what the preset makes mandatory."""
