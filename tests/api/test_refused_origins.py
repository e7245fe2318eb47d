"""The log names a refused site and the setting that allows it, once in a while and within bounds."""

import pytest
from fastapi.testclient import TestClient

from collab.api.app import create_app
from collab.api.refused_origins import ORIGINS_MAX, REPEAT_S, SETTING, RefusedOrigins
from collab.settings import PREFIX, Settings, load_settings
from collab.store.memory import MemoryStore
from tests.deployment import SECRET

SITE = "https://site.example"


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level("INFO")
    return caplog


def origins(said: pytest.LogCaptureFixture) -> list[str]:
    lines = [record.msg for record in said.records if isinstance(record.msg, dict)]
    return [line["origin"] for line in lines if line["event"] == "origin_refused"]


def test_setting_exists() -> None:
    assert SETTING.removeprefix(PREFIX).lower() in Settings.model_fields


def test_origin_is_logged_once_until_it_may_repeat(said: pytest.LogCaptureFixture) -> None:
    refused = RefusedOrigins(clock := Clock())
    for _ in range(3):
        refused.report(SITE)
    refused.report("https://other.example")
    assert origins(said) == [SITE, "https://other.example"]
    clock.now_s += REPEAT_S - 1
    refused.report(SITE)
    assert len(origins(said)) == 2
    clock.now_s += 1
    refused.report(SITE)
    assert origins(said)[2:] == [SITE]


def test_strangers_cannot_fill_the_log(said: pytest.LogCaptureFixture) -> None:
    refused = RefusedOrigins(clock := Clock())
    for number in range(ORIGINS_MAX + 50):
        refused.report(f"https://{number}.example/" + "x" * 10_000)
    assert len(origins(said)) == ORIGINS_MAX
    assert max(map(len, origins(said))) == 255
    clock.now_s += REPEAT_S
    refused.report(SITE)
    assert origins(said)[ORIGINS_MAX:] == [SITE]


@pytest.mark.usefixtures("clean_environment")
def test_question_of_a_browser_before_a_rest_request_is_logged(said: pytest.LogCaptureFixture) -> None:
    app = create_app(load_settings(secret=SECRET, allowed_origins="https://good.example"), store=MemoryStore())
    with TestClient(app) as client:
        for origin in ("https://good.example", SITE):
            client.options("/api/v1/documents", headers={"Origin": origin, "Access-Control-Request-Method": "GET"})
    assert origins(said) == [SITE]
