"""The rehearsal's roles, buckets and secrets."""

import pytest

from rehearsal.aws import types
from tests.engine.account import TRUST, Town, no

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("type_", [types.ROLE_POLICY, types.ROLE_POLICY_ATTACHMENT])
def test_a_role_with_policies_stays_unless_forced(town: Town, type_: str) -> None:
    town.make(type_, role=town.role.get("name"), policyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    with no("DeleteConflict"):
        town.delete(town.role)
    town.change(town.role, forceDetachPolicies=True)
    town.delete(town.role)


def test_a_role_has_room_for_so_many_characters_of_inline_policies(town: Town) -> None:
    """White space does not count."""
    half = town.make(types.ROLE_POLICY, "half", role=town.role.id, policy="x" * 5_120 + " \n" * 100)
    town.make(types.ROLE_POLICY, "rest", role=town.role.id, policy="y" * 5_120)
    another = town.make(types.ROLE, "another", assumeRolePolicy=TRUST)
    town.make(types.ROLE_POLICY, "else", role=another.id, policy="z")
    town.change(half, policy="x" * 5_120)
    with no("LimitExceeded"):
        town.make(types.ROLE_POLICY, "more", role=town.role.id, policy="z")
    with no("LimitExceeded"):
        town.change(half, policy="x" * 5_121)


def test_a_bucket_with_access_logs_stays_unless_forced(town: Town) -> None:
    bucket = town.make(types.BUCKET, bucket="logs")
    logs = {"bucket": "logs", "enabled": True}
    balancer = town.make(types.LOAD_BALANCER, "logging", subnets=town.ids, accessLogs=logs)
    town.delete(balancer)
    with no("BucketNotEmpty"):
        town.delete(bucket)
    town.change(bucket, forceDestroy=True)
    town.delete(bucket)


def test_the_name_of_a_deleted_secret_is_blocked_unless_it_went_at_once(town: Town) -> None:
    secret = town.make(types.SECRET, name="password", recoveryWindowInDays=7)
    town.delete(secret)
    with no("ResourceExistsException"):
        town.make(types.SECRET, name="password")
    town.delete(town.make(types.SECRET, name="other", recoveryWindowInDays=0))
    town.make(types.SECRET, name="other")
