"""The pretend engine itself: what it remembers is what was registered."""

from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.testing.cloud import Cloud
from components.testing.engine import HIDDEN, Graph, deploy, start


class Box(pulumi.ComponentResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("test:index:Box", name, None, opts)
        self.register_outputs({"name": name})


class Widget(pulumi.CustomResource):
    value: pulumi.Output[str]

    def __init__(self, name: str, value: Any = None, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("test:index:Widget", name, {"value": value, "count": 3.0, "ratio": 0.5}, opts)


def graph(program: Any) -> Graph:
    engine = start(Cloud())
    deploy(program)
    return engine.graph


def test_a_urn_holds_the_types_of_all_parents() -> None:
    def program() -> None:
        outer = Box("outer")
        inner = Box("inner", pulumi.ResourceOptions(parent=outer))
        Widget("widget", opts=pulumi.ResourceOptions(parent=inner))

    found = graph(program).one("test:index:Widget")
    assert found.urn == "urn:pulumi:dev::switchyard::test:index:Box$test:index:Box$test:index:Widget::widget"


def test_a_secret_is_hidden_in_the_clear_and_comes_back_as_one() -> None:
    engine = start(Cloud())
    assert deploy(lambda: Widget("widget", pulumi.Output.secret("hunter2")).value.is_secret())
    found = engine.graph.one("test:index:Widget")
    assert found.inputs == {"value": "hunter2", "count": 3, "ratio": 0.5}
    assert found.clear == {"value": HIDDEN, "count": 3, "ratio": 0.5}


def test_waiting_goes_through_inputs_options_parents_and_providers() -> None:
    def program() -> None:
        first = Widget("first", "value")
        second = Widget("second", first.value)
        third = Widget("third", opts=pulumi.ResourceOptions(depends_on=[second]))
        box = Box("box", pulumi.ResourceOptions(depends_on=[third]))
        Widget("last", opts=pulumi.ResourceOptions(parent=box))
        Widget("stranger")

    found = graph(program)
    before = {found.nodes[urn].name for urn in found.waits_for(found.one("test:index:Widget", "last"))}
    assert {"box", "third", "second", "first"} <= before
    assert "stranger" not in before


def test_two_resources_with_one_urn_are_an_error() -> None:
    def program() -> None:
        Widget("widget")
        Widget("widget")

    with pytest.raises(ValueError, match=r"two resources have the URN \S+::widget$"):
        graph(program)


def test_a_look_up_that_the_cloud_does_not_know_is_told_by_name() -> None:
    with pytest.raises(Exception, match=r"the pretend cloud has no answer for aws:ec2/getAmi:getAmi"):
        graph(lambda: aws.ec2.get_ami_output(owners=["amazon"]).id)


def test_the_only_one_is_asked_for_and_an_error_says_what_there_is() -> None:
    found = graph(lambda: Widget("widget") and None)
    with pytest.raises(LookupError, match=r"0 resources are test:index:Other ; there are: test:index:Widget widget"):
        found.one("test:index:Other")
