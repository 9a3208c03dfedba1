"""What Pulumi's provider asks of AWS for each type of resource: the permissions of whoever makes and deletes it.

A row says what the provider calls: pulumi-aws 7 is the Terraform provider for AWS, whose file below internal/service is
the row's `source`. The names are those of AWS's "Service Authorization Reference". Only what Switchyard's own inputs
lead to is there: a role's trust, for one, is never changed, so nobody needs iam:UpdateAssumeRolePolicy.
"""

from collections.abc import Mapping

from components.aws.actions import foundation, runtimes
from components.aws.actions.row import Actions

ROWS: Mapping[str, Actions] = {**foundation.ROWS, **runtimes.ROWS}
"""By type token."""
