"""The regions of AWS, by the list that comes with botocore: nobody has to be asked."""

import json
from functools import cache
from importlib.resources import files


@cache
def regions() -> frozenset[str]:
    """The name of each. One that AWS has opened since comes with a newer botocore."""
    partitions = json.loads((files("botocore") / "data/partitions.json").read_text(encoding="utf-8"))["partitions"]
    return frozenset(name for each in partitions for name in each["regions"] if not name.endswith("-global"))
