"""Secrets and logs: what an orchestrator uses and must not take with it when it goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pulumi

from components.aws import iam
from components.cost import Demand, Item, Line, Unpriced
from components.sdk import aws
from components.usage import exact


@dataclass(frozen=True, kw_only=True)
class VaultArgs:
    """What the vault is asked for."""

    stack: str
    log_days: int
    """How long logs are kept, in days."""
    protect: bool
    """True keeps a deleted secret recoverable for a week, and the logs when the stack is destroyed."""
    kms_key: str | None = None
    """ARN of the key that encrypts logs and secrets; None: AWS's own."""


class Vault(pulumi.ComponentResource):
    """One log group for the stack, and a Secrets Manager secret for each secret of a service that asks."""

    log_group: pulumi.Output[str]
    log_group_arn: pulumi.Output[str]
    kms_key: str | None
    """What encrypts what is in it, if not AWS's own keys."""

    def __init__(self, name: str, args: VaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("switchyard:vault:Vault", name, None, opts)
        self._args, self.kms_key = args, args.kms_key
        self._secrets: dict[str, tuple[pulumi.Output[str], pulumi.Output[str]]] = {}
        group = aws.cloudwatch.LogGroup(
            name,
            # Fixed, so that `aws logs tail` can be typed; the group outlives every orchestrator.
            name=f"/{args.stack}",
            retention_in_days=args.log_days,
            skip_destroy=args.protect,
            kms_key_id=args.kms_key,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.log_group, self.log_group_arn = group.name, group.arn
        self.register_outputs({"log_group": self.log_group})

    @staticmethod
    def costs(demand: Demand) -> Iterator[Item]:
        """What the logs cost a month; what secrets cost, the orchestrators say that read them. The KMS key is its
        owner's."""
        written = exact(demand.usage.logs)
        yield Line("logs", "logs written", written, "GB", "logs.ingest", free="logs.free")
        # As written: CloudWatch stores them compressed, but does not say how much that saves.
        yield Line("logs", "logs kept", written * demand.log_days * 12 / 365, "GB-month", "logs.storage")
        if demand.own_key:
            yield Unpriced("logs", "what logs and images ask of the KMS key", "how often they do is not known")

    @property
    def decrypting(self) -> list[iam.Statement]:
        """What a role that reads secrets needs besides."""
        return iam.decrypting(self.kms_key, "secretsmanager")

    def runtime_logs(self, name: str, group: str) -> aws.cloudwatch.LogGroup:
        """A log group that a runtime writes to by itself, and would make without a retention, for ever. Whoever asks
        depends on it; it goes after them."""
        return aws.cloudwatch.LogGroup(
            name,
            name=group,
            retention_in_days=self._args.log_days,
            kms_key_id=self.kms_key,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def secret(
        self, service: str, variable: str, value: pulumi.Output[str]
    ) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        """The secret's ARN, and the reference to this very version of it (so that a new value rolls the service).

        Two orchestrators that run the same service share one secret.
        """
        name = f"{service}--{variable}"  # no service's name has two dashes in a row, so no two secrets share a name
        if name not in self._secrets:
            child = pulumi.ResourceOptions(parent=self)
            secret = aws.secretsmanager.Secret(
                name,
                description=f"{variable} of {service}",
                # Autonamed: a name under recovery cannot be used again for days.
                recovery_window_in_days=7 if self._args.protect else 0,
                kms_key_id=self.kms_key,
                opts=child,
            )
            version = aws.secretsmanager.SecretVersion(name, secret_id=secret.id, secret_string=value, opts=child)
            self._secrets[name] = (secret.arn, pulumi.Output.concat(secret.arn, ":::", version.version_id))
        return self._secrets[name]
