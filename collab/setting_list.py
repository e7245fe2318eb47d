"""The list of all settings, for operators: ``docs/settings.md``, and what ``collab settings`` prints.

The settings describe themselves where they are declared; here they are put in groups and in words. After a change::

    python -m collab.setting_list > docs/settings.md
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from collab.limits import MIB
from collab.settings import PREFIX, Settings

GROUPS: dict[str, tuple[str, ...]] = {
    "Where the server listens and keeps documents": (
        *("host", "port", "data_dir", "database_url", "redis_url", "websocket_transport"),
    ),
    "Who may connect": (
        *("secret", "allow_self_made_secret", "allowed_origins", "token_param", "token_claims", "token_audience"),
        *("token_issuer", "token_public_key", "token_jwks_url", "token_secret_counts", "token_leeway_s"),
        "token_exp_optional",
    ),
    "How people sign in": (
        *("sign_in_idle_s", "sign_in_s_max", "oidc_issuer", "oidc_client_id", "oidc_client_secret", "oidc_name"),
        *("oidc_scope", "oidc_grants", "oidc_token_s"),
    ),
    "Logs and metrics": ("log_level", "log_format", "metrics_token"),
    "One connection": (
        *("frame_bytes_max", "outbox_bytes_max", "lag_s_max", "documents_per_socket_max", "keepalive_s", "ping_s"),
        "denial_hold_s",
    ),
    "A connection before it has shown a valid token": (
        *("preauth_s", "stranger_s", "preauth_bytes_max", "preauth_frames_max", "preauth_documents_max"),
    ),
    "One document": (
        *("document_bytes_max", "room_linger_s", "held_bytes_max", "held_updates_max", "held_s"),
        *("work_stretch_ms", "work_s_max"),
    ),
    "A document with many people": (
        *("batch_window_ms", "batch_window_large_ms", "batch_sessions_min", "batch_large_sessions_min"),
    ),
    "Saving, other replicas, and stopping": (
        *(
            "flush_window_ms",
            "persister_queue_bytes_max",
            "heads_poll_s",
            "heads_poll_relay_down_s",
            "bin_days",
            "shutdown_s",
        ),
    ),
}
"""Every setting once. A test says which are missing."""

DEFAULTS_IN_WORDS = {"database_url": "a file in `COLLAB_DATA_DIR`", "secret": "made by the server"}
UNITS = {"_bytes_max": "bytes", "_ms": "milliseconds", "_s_max": "seconds", "_s": "seconds", "_days": "days"}
"""The unit that the end of a name tells."""

HEAD = """# Settings

Every setting of the server is an environment variable. `collab settings` prints what is in force and where each value
comes from. `collab serve` also has options for a few, which go before the environment. A wrong value, a combination
that cannot work and a misspelt name stop the start with a sentence that says what to do.
[operations.md](operations.md) names the settings that a deployment needs.

Sizes are plain numbers of bytes, and times plain numbers: `COLLAB_PING_S=15`. Switches are `1` and `0`.

<!-- Generated: .venv/bin/python -m collab.setting_list > docs/settings.md -->
"""

Source = Literal["default", "environment", "file"]


@dataclass(frozen=True, slots=True)
class Effective:
    """A setting as it is in force. ``value`` is None if it is not set; secrets and passwords in it are hidden."""

    variable: str
    group: str
    value: bool | int | float | str | None
    source: Source


def effective(settings: Settings) -> Iterator[Effective]:
    """Yield every setting, group by group. ``settings``: those of the environment alone."""
    hidden = settings.redacted()
    for group, names in GROUPS.items():
        for name in names:
            raw, source = getattr(settings, name), _source(settings, name)
            is_unset = raw is None and source == "default"
            value = None if is_unset else raw if isinstance(raw, bool | int | float) else hidden[name] or None
            yield Effective(variable(name), group, value, source)


def columns(listed: Sequence[Effective]) -> Iterator[str]:
    """Yield the lines that show these settings to a person."""
    width = max(len(each.variable) for each in listed)
    shown = max(len(_plain(each.value)) for each in listed if len(_plain(each.value)) <= 40)
    group = ""
    for each in listed:
        if each.group != group:
            yield f"{chr(10) if group else ''}{each.group}"
            group = each.group
        yield f"  {each.variable:{width}}  {_plain(each.value):{shown}}  {each.source}"


def document() -> str:
    """Return the whole of ``docs/settings.md``."""
    return "\n".join([HEAD, *(line for group in GROUPS for line in _section(group))]).rstrip() + "\n"


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def _section(group: str) -> Iterator[str]:
    yield f"## {group}\n"
    yield "| setting | default | unit | values | meaning |"
    yield "|---|---|---|---|---|"
    for name in GROUPS[group]:
        field = Settings.model_fields[name]
        cells = (f"`{variable(name)}`", _default(name, field), unit(name), _values(field), field.description or "")
        yield f"| {' | '.join(cells)} |"
    yield ""


def unit(name: str) -> str:
    """Return the unit of a setting, as its name tells it; "" for one without."""
    return next((word for end, word in UNITS.items() if name.endswith(end)), "")


def _default(name: str, field: FieldInfo) -> str:
    if name in DEFAULTS_IN_WORDS:
        return DEFAULTS_IN_WORDS[name]
    match field.default:
        case None | "" | ():
            return "–"
        case bool(flag):
            return f"`{int(flag)}`"
        case int(number) if unit(name) == "bytes":
            return f"`{number}` ({_size(number)})"
        case float(number):
            return f"`{number:g}`"
        case other:
            return f"`{other}`"


def _size(number: int) -> str:
    return f"{number // MIB} MiB" if number % MIB == 0 else f"{number // 1024} KiB"


def _values(field: FieldInfo) -> str:
    """Return the values that a setting may have, where its type or its bounds tell them."""
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    if field.annotation is bool or bool in get_args(field.annotation):
        return "`0`, `1`"
    return _range(field.metadata)


def _range(metadata: Sequence[Any]) -> str:
    least = greatest = ""
    for bound in metadata:
        match bound:
            case Ge(ge=number):
                least = f"{number:g}" if not isinstance(number, int) else str(number)
            case Gt(gt=number):
                least = f"more than {number}"
            case Le(le=number) | Lt(lt=number):
                greatest = str(number)
    if least and greatest:
        return f"{least}{', up to' if least.startswith('more') else ' to'} {greatest}"
    return least if not least or least.startswith("more") else f"{least} or more"


def _source(settings: Settings, name: str) -> Source:
    if name in settings.model_fields_set:
        return "environment"
    return "file" if name == "secret" and settings.secret_path.exists() else "default"


def _plain(value: object) -> str:
    match value:
        case None:
            return "–"
        case bool(flag):
            return str(int(flag))
        case float(number):
            return f"{number:g}"
        case _:
            return str(value)


if __name__ == "__main__":
    sys.stdout.write(document())
