"""The limits that operators may change: their defaults, and what is filled from them."""

import pytest
from pydantic import ValidationError

from collab.limits import MIB, ServerLimits
from collab.protocol.limits import Limits
from collab.room.pending import PendingLimits
from collab.room.updates import RoomLimits
from collab.settings import Settings


def test_defaults_are_the_documented_ones() -> None:
    limits = ServerLimits()
    assert (limits.frame_bytes_max, limits.outbox_bytes_max, limits.documents_per_socket_max) == (
        32 * MIB,
        4 * MIB,
        256,
    )
    assert (limits.keepalive_s, limits.ping_s, limits.denial_hold_s) == (20, 20, 2.5)
    assert (limits.stranger_s, limits.heartbeat_s) == (60, 10)
    assert (limits.preauth_s, limits.preauth_bytes_max) == (10, MIB // 4)
    assert (limits.preauth_frames_max, limits.preauth_documents_max) == (1000, 100)
    assert (limits.held_bytes_max, limits.held_updates_max, limits.held_s) == (MIB, 256, 5)
    assert (limits.room_linger_s, limits.flush_window_ms, limits.persister_queue_bytes_max) == (5, 20, 32 * MIB)
    assert limits.lag_s_max == 60
    assert (limits.batch_window_ms, limits.batch_window_large_ms) == (20, 50)
    assert (limits.batch_sessions_min, limits.batch_large_sessions_min) == (9, 201)
    assert (limits.heads_poll_s, limits.heads_poll_relay_down_s, limits.shutdown_s) == (1, 0.25, 10)
    assert limits.bin_days == 30


def test_default_limits_of_an_update_and_of_a_room_are_their_own() -> None:
    assert ServerLimits().update == Limits()
    assert ServerLimits().pending == PendingLimits()
    assert ServerLimits().room == RoomLimits()


def test_update_and_pending_limits_follow_the_settings() -> None:
    limits = ServerLimits(frame_bytes_max=2048, held_bytes_max=1024, held_updates_max=3, held_s=0.5)
    assert limits.update.bytes_max == 2048
    assert limits.pending == PendingLimits(1024, 3, 0.5)
    batching = {
        "batch_window_ms": 5,
        "batch_window_large_ms": 7,
        "batch_sessions_min": 2,
        "batch_large_sessions_min": 3,
    }
    limits = ServerLimits.model_validate(batching)
    assert [limits.room.window.for_sessions(sessions) for sessions in (1, 2, 3)] == [0, 0.005, 0.007]


def test_every_limit_is_a_setting_and_repeats_nothing() -> None:
    assert set(ServerLimits.model_fields) <= set(Settings.model_fields)
    assert not set(ServerLimits.model_fields) & set(vars(Settings).get("__annotations__", {}))


def test_limits_refuse_what_the_settings_refuse() -> None:
    with pytest.raises(ValidationError, match="keepalive_s"):
        ServerLimits(keepalive_s=26)
