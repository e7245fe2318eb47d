"""Autobahn's cases, which every WebSocket implementation is measured by, against our own.

Categories 12 and 13 are about compression, which we do not offer.
"""

import sys
from importlib import import_module

import pytest

from tests.api.websocket_server import running

if sys.platform not in ("linux", "darwin"):
    pytest.skip("kosoku has no wheel for this platform", allow_module_level=True)
kosoku = import_module("kosoku")  # where it has one, its absence is an error

COMPRESSION = ["12.*", "13.*"]
UNSPECIFIED = {"7.1.6", "7.13.1", "7.13.2"}
"""A message behind a close frame, and close codes of which RFC 6455 says nothing."""
CASES = 301


@pytest.mark.timeout(60)
async def test_every_case_passes() -> None:
    async with running(message_bytes_max=32 << 20) as server:
        results = await kosoku.run_fuzzingclient(server.url("/plain"), exclude_cases=COMPRESSION, concurrency=4)
    assert len(results) == CASES
    verdicts = {each.case_id: {each.behavior.value, each.behavior_close.value} for each in results}
    assert {case for case, verdict in verdicts.items() if verdict != {"OK"}} == UNSPECIFIED
    assert all(verdicts[case] == {"INFORMATIONAL"} for case in UNSPECIFIED)
