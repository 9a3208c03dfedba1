"""Flow logs: who connected to what in the network, kept in CloudWatch beside the stack's other logs."""

from __future__ import annotations

import pulumi

from components.aws import iam
from components.aws.network import Network
from components.aws.vault import Vault
from components.network_options import Flows
from components.sdk import aws

NAME = "network-flow"
TRAFFIC = {"rejected": "REJECT", "all": "ALL"}
INTERVAL = 600
"""Seconds that one record is about; the other choice, 60, writes more of them (EC2 API, CreateFlowLogs)."""


def keep(network: Network, vault: Vault, stack: str, flows: Flows) -> None:
    """Log the network's traffic, unless `flows` is none, for as long as the vault keeps logs."""
    if flows == "none":
        return
    child = pulumi.ResourceOptions(parent=network)
    group = vault.runtime_logs(NAME, f"/{stack}/flow")
    account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=network)).account_id
    role = aws.iam.Role(NAME, assume_role_policy=account.apply(_trust), opts=child)
    policy = aws.iam.RolePolicy(
        NAME,
        role=role.name,
        policy=iam.document(
            iam.allow(
                ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                [group.arn, pulumi.Output.concat(group.arn, ":*")],
            ),
            iam.allow(["logs:DescribeLogGroups"], ["*"]),  # asked of all of them, before one is written to
        ),
        opts=child,
    )
    aws.ec2.FlowLog(
        NAME,
        vpc_id=network.vpc_id,
        traffic_type=TRAFFIC[flows],
        log_destination=group.arn,
        iam_role_arn=role.arn,
        max_aggregation_interval=INTERVAL,
        opts=pulumi.ResourceOptions(parent=network, depends_on=[policy]),
    )


def _trust(account: str) -> str:
    """For flow logs of this account alone (VPC user guide, "IAM role for publishing flow logs")."""
    return iam.trust("vpc-flow-logs.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": account}})
