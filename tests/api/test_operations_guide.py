"""The operations guide names only settings, log events, metrics and files that exist."""

import re
from pathlib import Path

from collab.observe.logs import EVENTS
from collab.observe.metrics import Metrics
from collab.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "operations.md").read_text()


def test_settings_of_the_guide_exist() -> None:
    named = set(re.findall(rf"\b{PREFIX}\w+", GUIDE))
    assert named
    assert named <= {PREFIX + name.upper() for name in Settings.model_fields}


def test_metrics_of_the_guide_exist() -> None:
    named = set(re.findall(r"`(collab_\w+)`", GUIDE))
    assert named
    exposed = Metrics().expose("")[0].decode()
    assert {name for name in named if f"# TYPE {name}" not in exposed} == set()


def test_log_events_of_the_guide_exist() -> None:
    (section,) = re.findall(r"## Logs\n(.*?)\n## ", GUIDE, re.DOTALL)
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", section))
    assert named
    assert named <= EVENTS.keys()


def test_files_of_the_guide_exist() -> None:
    named = set(re.findall(r"`((?:collab|deploy)/[\w./]+)`", GUIDE))
    assert named
    assert {name for name in named if not (ROOT / name).is_file()} == set()


def test_bounds_of_the_guide_are_those_of_nginx() -> None:
    shipped = (ROOT / "deploy" / "nginx.conf").read_text()
    named = re.findall(r"`(client_header_timeout|client_body_timeout|send_timeout)`, (\d+) s", GUIDE)
    assert {name for name, _ in named} == {"client_header_timeout", "client_body_timeout", "send_timeout"}
    assert [name for name, seconds in named if f"{name} {seconds}s;" not in shipped] == []
