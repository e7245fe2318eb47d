"""Every error says whose fault it is, what the peer is told, and what it ends."""

import pytest

from collab import errors
from collab.errors import CollabError, Fault, PeerError, TokenExpired, TransientError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CollabError)]
CONCRETE = [kind for kind in KINDS if kind is not CollabError]
every_kind = pytest.mark.parametrize("kind", CONCRETE, ids=lambda kind: kind.__name__)


@every_kind
def test_error_without_words_of_its_own_is_told_in_a_sentence(kind: type[CollabError]) -> None:
    assert str(kind()) == kind.sentence
    assert kind.sentence[0].isupper()
    assert kind.sentence.endswith(".")
    assert kind().reason == f"{kind.slug}: {kind.sentence}"


def test_error_with_words_of_its_own_keeps_its_slug() -> None:
    assert TokenExpired("It ended at noon.").reason == "token-expired: It ended at noon."


@every_kind
def test_class_says_whose_fault_it_is(kind: type[CollabError]) -> None:
    assert issubclass(kind, PeerError) == (kind.fault is Fault.PEER)
    assert issubclass(kind, TransientError) == (kind.fault is Fault.SERVER)


def test_only_errors_that_pass_can_be_retried() -> None:
    retryable = {kind for kind in CONCRETE if kind.retryable}
    assert retryable == {kind for kind in CONCRETE if issubclass(kind, TransientError)} | {errors.TooSlow}


def test_few_errors_end_the_room() -> None:
    assert {kind.__name__ for kind in CONCRETE if kind.ends_room} == {
        "DocumentDeleted",
        "DocumentInBin",
        "DocumentPoisoned",
        "Draining",
        "RoomClosed",
    }


def test_slugs_are_shared_only_where_the_client_need_not_tell_errors_apart() -> None:
    by_slug: dict[str, list[str]] = {}
    for kind in CONCRETE:
        by_slug.setdefault(kind.slug, []).append(kind.__name__)
    assert {slug: names for slug, names in by_slug.items() if len(names) > 1} == {
        "protocol-error": ["ProtocolError", "TextFrame"],
        "document-deleted": ["DocumentDeleted", "DocumentInBin"],
        "room-closed": ["RoomClosed", "DocumentPoisoned", "MissingDependencies"],
        "token-expired": ["TokenExpired", "SessionExpired"],
    }
