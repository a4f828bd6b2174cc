"""How the tests are spread over workers."""

from __future__ import annotations

import pytest


def test_tests_of_a_group_stay_together(request: pytest.FixtureRequest) -> None:
    """Where groups are asked for, they are kept: else real servers would measure each other, and nobody would know."""
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("only with --dist loadgroup")
    assert request.node.nodeid.endswith("@tests/house/test_workers.py")
