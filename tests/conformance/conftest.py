from collections.abc import Iterator

import pytest

from tests.conformance.joining import third_party

pytest.register_assert_rewrite("components.testing.promises")


@pytest.fixture(autouse=True)
def joined() -> Iterator[None]:
    """Here a third party's backends stand beside ours."""
    with third_party():
        yield
