"""Where a load balancer writes down who called."""

from __future__ import annotations

from typing import Any

import pulumi

from components.sdk import aws


def access_logs(name: str, protect: bool, child: pulumi.ResourceOptions) -> aws.lb.LoadBalancerAccessLogsArgsDict:
    """A bucket that takes this account's logs alone, by TLS alone, and keeps them for a year."""
    bucket = aws.s3.Bucket(f"{name}-logs", force_destroy=not protect, opts=child)
    aws.s3.BucketPublicAccessBlock(
        f"{name}-logs",
        bucket=bucket.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=child,
    )
    aws.s3.BucketLifecycleConfiguration(
        f"{name}-logs",
        bucket=bucket.id,
        rules=[
            {
                "id": "expire",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "expiration": {"days": 365},
                "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
            }
        ],
        opts=child,
    )
    account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=child.parent)).account_id
    policy = aws.s3.BucketPolicy(
        f"{name}-logs",
        bucket=bucket.id,
        policy=pulumi.Output.json_dumps(_of_the_logs(bucket.arn, account)),
        opts=child,
    )
    # The load balancer tries to write when it is made, so the policy must be there first.
    return {"bucket": policy.bucket, "enabled": True}


def _of_the_logs(bucket: pulumi.Output[str], account: pulumi.Output[str]) -> Any:
    """The policy of the bucket of access logs. Logs of another account's load balancers are written under the number of
    that account (ELB user guide, "Access log files")."""
    everything = pulumi.Output.concat(bucket, "/*")
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
                "Action": "s3:PutObject",
                "Resource": pulumi.Output.concat(bucket, "/AWSLogs/", account, "/*"),
            },
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [bucket, everything],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    }
