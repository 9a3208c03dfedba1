"""`yard ci`: the workflows of GitHub Actions that check and deploy this project."""

import click

from yard.ci.check import check
from yard.ci.fill import fill
from yard.ci.image import image
from yard.ci.init import init
from yard.groups import Group


@click.group(cls=Group)
def ci() -> None:
    """Have GitHub Actions check pull requests and deploy what is pushed: write the workflows, see what they lack."""


for each in (init, check, image, fill):
    ci.add_command(each)
