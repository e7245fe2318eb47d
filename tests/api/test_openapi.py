"""The OpenAPI document: complete and true."""

from typing import Any

import pytest
from fastapi.testclient import TestClient


@pytest.fixture
def api(client: TestClient) -> Any:
    return client.get("/api/v1/openapi.json").json()


def operations(api: Any) -> dict[str, Any]:
    return {each["operationId"]: each for path in api["paths"].values() for each in path.values()}


def test_every_operation_is_described(api: Any) -> None:
    assert api["openapi"].startswith("3.1")
    found = [each for path in api["paths"].values() for each in path.values()]
    assert len(operations(api)) == len(found) == 22
    for each in found:
        assert each["summary"]
        assert each["description"]
        for parameter in each.get("parameters", []):
            assert parameter["description"].endswith("."), parameter["name"]


def test_every_error_is_said_to_be_a_problem(api: Any) -> None:
    for each in operations(api).values():
        for status, response in each["responses"].items():
            if status >= "400":
                assert response["content"].keys() == {"application/problem+json"}
            else:
                assert response["description"] != "Successful Response"
    assert {name for name in api["components"]["schemas"] if "Validation" in name} == set()


def test_statuses_are_those_that_the_routes_answer(api: Any) -> None:
    said = {name: {s for s in each["responses"] if s >= "400"} for name, each in operations(api).items()}
    assert said == {
        "listDocuments": {"400", "401", "403", "503"},
        "createDocument": {"400", "401", "403", "408", "409", "410", "413", "503"},
        "getDocument": {"400", "401", "403", "404", "410", "503"},
        "changeDocument": {"400", "401", "403", "404", "408", "410", "413", "503"},
        "deleteDocument": {"400", "401", "403", "404", "410", "503"},
        "restoreDocument": {"400", "401", "403", "404", "503"},
        "getContent": {"400", "401", "403", "404", "410", "503"},
        "listMembers": {"400", "401", "403", "404", "410", "503"},
        "putMember": {"400", "401", "403", "404", "408", "409", "410", "413", "503"},
        "removeMember": {"400", "401", "403", "404", "409", "410", "503"},
        "listLinks": {"400", "401", "403", "404", "410", "503"},
        "createLink": {"400", "401", "403", "404", "408", "409", "410", "413", "503"},
        "revokeLink": {"400", "401", "403", "404", "410", "503"},
        "getAccess": {"400", "401", "403", "404", "410", "503"},
        "requestAccess": {"400", "401", "403", "408", "409", "413", "503"},
        "listAccessRequests": {"400", "401", "403", "404", "410", "503"},
        "publishDocument": {"400", "401", "403", "404", "410", "503"},
        "unpublishDocument": {"400", "401", "403", "404", "410", "503"},
        "postUpdate": {"400", "401", "403", "408", "409", "410", "413", "422", "503"},
        "renewToken": {"401", "403", "503"},
        "healthz": set(),
        "readyz": {"503"},
    }
