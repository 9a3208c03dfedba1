"""An ECR pull-through cache: repositories of our own on AWS that ECR fills from another registry.

Runtimes pull from it by IAM role, so the other registry's login reaches no task, pod or node. The repositories are made
here, not by ECR with the first pull: so they have a retention, go with the stack, and nobody who pulls has to be
allowed to make repositories (ECR user guide, "IAM permissions required to sync an upstream registry").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.aws.access import AwsAccess
from components.aws.parts import SECRETS
from components.naming import label
from components.pull import Cached, Login
from components.registry import RegistryArgs, ecr, tagged
from components.sdk import aws
from components.shell import command

PULL = (*ecr.PULL, "ecr:BatchImportUpstreamImage")
PREFIX_LIMIT = 30
"""Characters of a rule's prefix (ECR API, CreatePullThroughCacheRule)."""
KEEP = 30
"""Images kept in each repository: ten deployments, even where each is an index and two manifests."""


@dataclass(frozen=True)
class CachedRepository:
    """Where one service's images are cached."""

    url: pulumi.Output[str]
    pull: Cached
    fill: pulumi.Output[str]
    """Commands that have ECR fetch what was pushed to the other registry."""


def cache(
    name: str,
    upstream: str,
    login: Login,
    paths: Mapping[str, str],
    args: RegistryArgs[Any],
    child: pulumi.ResourceOptions,
) -> Mapping[str, CachedRepository]:
    """A rule for the stack with the login for `upstream`, and a repository for each service's path there."""
    prefix = prefix_of(args.namespace, name)
    rule = aws.ecr.PullThroughCacheRule(
        name,
        ecr_repository_prefix=prefix,
        upstream_registry_url=upstream,
        credential_arn=_secret(name, login, args, child),
        opts=child,
    )
    # Nobody may pull before ECR knows where to fetch from.
    ready = pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[rule]))
    made = {service: ecr.make(service, f"{prefix}/{path}", retention(), args, ready) for service, path in paths.items()}
    stack_arns = tuple(ecr.below(prefix, each.arn) for each in list(made.values())[:1])
    return {service: _cached(each, stack_arns) for service, each in made.items()}


def prefix_of(namespace: str, name: str) -> str:
    """What the names of a rule's repositories begin with."""
    return f"{label(namespace, PREFIX_LIMIT - len(name) - 1)}/{name}"


def taken(stack: str, name: str) -> AwsAccess:
    """What it takes on AWS to make a cache, and to have it filled."""
    return (
        ecr.MAKING
        | SECRETS
        | AwsAccess(
            types=frozenset({"aws:ecr/pullThroughCacheRule:PullThroughCacheRule"}),
            calls=frozenset({*PULL, "ecr:GetAuthorizationToken"}),
            arns=(
                ecr.repository_arn(f"{prefix_of(stack, name)}/*"),
                f"secretsmanager:{{region}}:{{account}}:secret:ecr-pullthroughcache/{stack}-*",
            ),
        )
    )


def _secret(name: str, login: Login, args: RegistryArgs[Any], child: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """The ARN of the login, once that is in it. ECR wants this prefix and these keys ("Storing your credentials")."""
    secret = aws.secretsmanager.Secret(
        name,
        # The rest is random: a name under recovery cannot be used again for days.
        name_prefix=f"ecr-pullthroughcache/{args.namespace}-{name}-",
        description=f"Login of the pull-through cache for {name}",
        # Under AWS's own key, whatever `kms-key` says: ECR takes no other here ("Storing your credentials").
        recovery_window_in_days=7 if args.protect else 0,
        opts=child,
    )
    # The token is a secret, and so is what is made of it.
    value = pulumi.Output.json_dumps({"username": login.username, "accessToken": login.password})
    version = aws.secretsmanager.SecretVersion(name, secret_id=secret.id, secret_string=value, opts=child)
    return pulumi.Output.all(secret.arn, version.id).apply(lambda both: str(both[0]))


def _cached(repository: aws.ecr.Repository, stack_arns: tuple[pulumi.Output[str], ...]) -> CachedRepository:
    url = repository.repository_url
    return CachedRepository(url, Cached(PULL, (repository.arn,), stack_arns), url.apply(_fill))


def _fill(url: str) -> str:
    # What is not in the cache yet, ECR fetches by its tag, not by a digest (containers-roadmap #2837).
    pull = command("docker", "pull", tagged(url))
    return f"# Fill the cache, which fetches an image by its tag:\n{ecr.login(url)}\n{pull}"


def retention() -> str:
    """The newest images, whatever their tag: what ECR itself fetches may have none, and must not go while it runs."""
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEEP}
    return json.dumps({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})
