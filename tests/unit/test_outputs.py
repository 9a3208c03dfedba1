"""What `pulumi up` says at its end."""

from tests.program import DIGEST, EXISTING, SERVICE, config_for, run_program


def test_a_service_without_an_image_waits_and_the_output_says_what_to_do() -> None:
    config = config_for("ecr", "ecs-fargate", api={}, worker={"public": False, "digest": DIGEST})
    graph = run_program({**config, **EXISTING})
    assert [each.name for each in graph.of("ecs/service:Service")] == ["worker"]
    assert {each.name for each in graph.of("ecr/repository:Repository")} == {"api", "worker"}
    assert graph.export("next")[0] == (
        "api waits for its first image: `yard deploy api --stack dev` builds and deploys it, where it has `build`; or"
        " run the commands under `push`, and `yard deploy api=sha256:... --stack dev` with the digest that"
        " `docker push` prints"
    )
    assert list(graph.export("logs")) == ["worker"]
    assert graph.export("cost")["columns"]["compute"] == "9.01"


def test_a_complete_stack_with_https_has_nothing_next() -> None:
    config = config_for("ecr", "ecs-fargate") | {"domain": {"name": "api.example.com", "zone": "example.com"}}
    graph = run_program(config)
    assert "next" not in graph.exports()
    assert graph.export("url") == "https://api.example.com"


def test_plain_http_in_production_is_meant_where_it_is_said() -> None:
    config = config_for("ecr", "ecs-fargate") | {"preset": "production", "plain-http": True}
    graph = run_program(config)
    assert "next" not in graph.exports()
    assert graph.export("url").startswith("http://")


def test_a_stack_on_aws() -> None:
    graph = run_program({**config_for("ecr", "ecs-fargate"), **EXISTING})
    repository = "123456789012.dkr.ecr.us-east-1.amazonaws.com/switchyard-dev/api"
    assert graph.export("registry") == "ecr"
    assert graph.export("orchestrator") == "ecs-fargate"
    assert graph.export("repositories") == {"api": repository}
    assert graph.export("push")["api"].startswith("aws ecr get-login-password")
    assert graph.export("logs") == {
        "api": ["aws logs tail /switchyard-dev --log-stream-name-prefix api/ecs-fargate --follow"]
    }
    cost = graph.export("cost")
    assert (cost["columns"]["compute"], cost["columns"]["network"], cost["unknown"]) == ("9.01", "3.65", [])
    assert cost["usage"]["preset"] == "small"


def test_where_prices_are_not_known_the_output_says_so_and_the_rest_goes_on() -> None:
    graph = run_program({**config_for("ecr", "ecs-fargate"), **EXISTING, "aws:region": "eu-west-3"})
    assert list(graph.export("cost")) == ["unknown"]
    assert graph.export("cost")["unknown"][0].startswith("there are no prices for eu-west-3")
    assert graph.of("ecs/service:Service")


def test_during_a_move_logs_are_in_two_places_and_both_are_paid_for() -> None:
    graph = run_program({**config_for("ecr", "ecs-fargate"), **EXISTING, "traffic": {"ecs-fargate": 1, "eks": 1}})
    assert graph.export("logs") == {
        "api": [
            "aws logs tail /switchyard-dev --log-stream-name-prefix api/ecs-fargate --follow",
            "aws logs tail /switchyard-dev --log-stream-name-prefix api.eks. --follow",
        ]
    }
    columns = graph.export("cost")["columns"]
    assert (columns["control plane"], columns["compute"]) == ("73.00", "97.82")


def test_off_aws_each_service_has_an_address_of_its_own() -> None:
    services = {"api": SERVICE, "web": {**SERVICE, "port": 9000}, "jobs": {**SERVICE, "public": False}}
    graph = run_program(config_for("oci", "swarm", "trial", **services))
    assert graph.export("url") == {"api": "http://localhost:8080", "web": "http://localhost:9000", "jobs": None}
    assert (graph.export("cost")["usd"], graph.export("cost")["columns"]["compute"]) == ("?", "?")
    assert "next" not in graph.exports()
