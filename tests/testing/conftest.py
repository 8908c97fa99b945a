from __future__ import annotations

from collections.abc import Iterator

import pytest

from dissensus.testing import FakeProvider


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as served:
        yield served
