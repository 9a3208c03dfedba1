"""CloudWatch Logs' own API, as far as the daily verbs ask it: FilterLogEvents and GetLogEvents."""

from typing import Any

from rehearsal.apis.endpoint import BadRequest, Endpoint, JsonHandler
from rehearsal.aws import types
from rehearsal.state import CloudState
from rehearsal.tasks import Event

PAGE = 3
"""Events of one answer: few, so that whoever asks has to turn the page."""


def serve(cloud: CloudState) -> Endpoint:
    """Answer until closed."""
    return Endpoint(_Handler, state=cloud)


class _Handler(JsonHandler):
    state: CloudState

    def on_FilterLogEvents(self, asked: Any) -> Any:  # noqa: N802
        found = [
            each
            for each in self._events(asked["logGroupName"])
            if each.stream.startswith(asked.get("logStreamNamePrefix", "")) and each.at >= asked.get("startTime", 0)
        ]
        start = int(asked.get("nextToken", 0))
        more = {"nextToken": str(start + PAGE)} if start + PAGE < len(found) else {}
        events = [
            {**_told(each), "logStreamName": each.stream, "eventId": str(each.number)}
            for each in sorted(found, key=lambda event: (event.at, event.number))[start : start + PAGE]
        ]
        return {"events": events, **more}

    def on_GetLogEvents(self, asked: Any) -> Any:  # noqa: N802
        found = [each for each in self._events(asked["logGroupName"]) if each.stream == asked["logStreamName"]]
        if not found:
            raise BadRequest("ResourceNotFoundException", "The specified log stream does not exist.")
        start = int(asked.get("nextToken", "f/0").removeprefix("f/"))
        page = found[start : start + PAGE]
        token = f"f/{start + len(page)}"
        return {"events": [*map(_told, page)], "nextForwardToken": token, "nextBackwardToken": "b/0"}

    def _events(self, group: str) -> list[Event]:
        with self.state.lock:
            if self.state.find(types.LOG_GROUP, group) is None:
                raise BadRequest("ResourceNotFoundException", "The specified log group does not exist.")
            return list(self.state.tasks.events[group])


def _told(event: Event) -> Any:
    return {"timestamp": event.at, "ingestionTime": event.at, "message": event.text}
