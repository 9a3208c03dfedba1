"""The vault: secrets and logs that outlive every orchestrator."""

from typing import Any

import pulumi
import pytest

from components.aws.vault import Vault, VaultArgs
from components.testing.cloud import Cloud
from components.testing.engine import HIDDEN, Graph, deploy, start


def vault(*secrets: tuple[str, str], protect: bool = False) -> tuple[Graph, list[Any]]:
    """A vault asked for (service, variable) in turn; its graph, and what it answered."""
    engine = start(Cloud())

    def program() -> list[Any]:
        made = Vault("vault", VaultArgs(stack="shop", log_days=30, protect=protect))
        return [made.secret(service, variable, pulumi.Output.secret("hunter2")) for service, variable in secrets]

    answers = deploy(program)
    return engine.graph, answers


def test_one_log_group_with_a_name_that_can_be_typed() -> None:
    group = vault()[0].one("cloudwatch/logGroup:LogGroup").inputs
    assert (group["name"], group["retentionInDays"], group["skipDestroy"]) == ("/shop", 30, False)


def test_two_orchestrators_share_a_secret() -> None:
    graph, (one, two) = vault(("api", "KEY"), ("api", "KEY"))
    assert one == two
    assert len(graph.of("secretsmanager/secret:Secret")) == 1


def test_no_two_variables_share_one() -> None:
    asked = [("api", "KEY"), ("api", "KEY2"), ("web", "KEY"), ("api", "registry-login"), ("api-registry", "login")]
    graph, answers = vault(*asked)
    assert len(graph.of("secretsmanager/secret:Secret")) == len(asked)
    assert len({arn for arn, _ in answers}) == len(asked)


def test_the_value_is_a_pulumi_secret() -> None:
    version = vault(("api", "KEY"))[0].one("secretsmanager/secretVersion:SecretVersion")
    assert version.inputs["secretString"] == "hunter2"
    assert version.clear["secretString"] == HIDDEN


def test_the_reference_is_to_a_version_so_that_a_new_value_rolls_the_service() -> None:
    _, ((arn, reference),) = vault(("api", "KEY"))
    prefix, version = reference.split(":::")
    assert prefix == arn
    assert version.startswith("version-of-api")


@pytest.mark.parametrize(("protect", "days"), [(True, 7), (False, 0)])
def test_protect_keeps_secrets_recoverable_and_logs_in_place(protect: bool, days: int) -> None:
    graph, _ = vault(("api", "KEY"), protect=protect)
    assert graph.one("secretsmanager/secret:Secret").inputs["recoveryWindowInDays"] == days
    assert graph.one("cloudwatch/logGroup:LogGroup").inputs["skipDestroy"] is protect
    assert "name" not in graph.one("secretsmanager/secret:Secret").inputs
