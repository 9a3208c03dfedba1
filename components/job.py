"""A service's jobs: commands that run by a schedule."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from components.model import Model, PlainText, Text, wanted
from components.schedule import Schedule, parse

CRON = "five fields of cron, minute hour day-of-month month day-of-week, such as 0 3 * * mon-fri"


def _readable(schedule: str) -> str:
    try:
        parse(schedule)
    except ValueError as error:
        raise wanted(f"{CRON}; {error}") from error
    return schedule


def _known(time_zone: str) -> str:
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise wanted(f"{ZONE}; this machine's list of time zones has no {time_zone}") from error
    return time_zone


ZONE = "UTC, or a time zone by its IANA name, such as Europe/Berlin"
Cron = Annotated[str, Text(r"^\s*\S+(\s+\S+){4}\s*$", CRON), AfterValidator(_readable)]
# Lower-case folders of a list of time zones are the same zones counted otherwise.
TimeZone = Annotated[str, Text(r"^(UTC|[A-Z][A-Za-z_]*(/[A-Za-z0-9_+-]+)+)$", ZONE), AfterValidator(_known)]


class Job(Model):
    """A command that runs by a schedule, once each time, with the service's image, environment, secrets and network."""

    command: tuple[PlainText, ...] = Field(min_length=1, description="Arguments in place of the image's own command.")
    schedule: Cron = Field(
        description="When it runs. If it has days of the month and days of the week, it runs on days of either kind."
    )
    time_zone: TimeZone = Field(default="UTC", description="The time zone of the schedule.")

    @property
    def when(self) -> Schedule:
        """The schedule, parsed."""
        return parse(self.schedule)
