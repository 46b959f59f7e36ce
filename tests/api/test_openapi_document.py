"""The description of the interface keeps to OpenAPI 3.1, and judges: what it describes is checked on a real host in
scenarios/test_openapi.py."""

import copy
import json
import re
import subprocess

import jsonschema
import pytest
from hosts import BUILD_DIR, PROJECT
from openapi_rules import Description

READER = "test-api-shapes"


@pytest.fixture(scope="module")
def description():
    found = [path for path in BUILD_DIR.rglob(READER) if path.is_file()]
    assert found, f"{READER} is not in {BUILD_DIR}"
    return Description(json.loads(subprocess.run([found[0], "--print"], check=True, capture_output=True).stdout))


def test_it_keeps_to_the_rules(description):
    description.check()


def test_parameters_are_what_routes_check(description):
    paths = description.document["paths"]
    limit = next(one for one in paths["/api/v3/history"]["get"]["parameters"] if one["name"] == "limit")
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 1000} and not limit["required"]
    body = paths["/api/v3/rollback"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert body["required"] and set(schema["required"]) == {"mode", "reason"}
    assert schema["properties"]["mode"]["enum"] == ["manual", "emergency"]
    assert not paths["/api/v3/traffic/drain"]["post"]["requestBody"]["required"]
    assert "requestBody" not in paths["/api/v3/traffic/restore"]["post"]


def test_answers_and_rights(description):
    paths = description.document["paths"]
    health = paths["/api/v3/health"]["get"]
    assert health["security"] == [] and set(health["responses"]["503"]["content"]) == {"application/json", "application/problem+json"}
    for method, path, operation in description.operations():
        acts = method != "GET" and not path.endswith("/session")
        assert ("409" in operation["responses"]) == acts, path
        assert set(description.resolve(operation["responses"]["default"])["content"]) == {"application/problem+json"}


def test_it_refuses_what_is_not_a_shape(description):
    good = {"paused": False, "by": None, "since": None, "why": None}
    assert description.trouble("deployments", good) == []
    assert description.trouble("deployments", {**good, "since": "2026-11-22T16:43:45.142Z"}) == []
    assert description.trouble("deployments", {**good, "since": "yesterday"})
    assert description.trouble("deployments", {**good, "more": 1})
    assert description.trouble("deployments", {**good, "paused": None})
    del good["why"]
    assert description.trouble("deployments", good)


def test_what_the_sources_tell_is_in_it(description):
    """What no table lists: the names of events, and what problems add to themselves."""
    sources = "".join(path.read_text() for path in sorted((PROJECT / "src").rglob("*.c")))
    events = set(re.findall(r'controller_tell\([^,;]+,\s*"(\w+)"', sources))
    added = set(re.findall(r'problem_add\([^,;]+,\s*"(\w+)"', sources))
    schemas = description.document["components"]["schemas"]
    assert {"run", "sample", "alert"} <= events <= set(schemas["events"]["properties"])
    assert {"holder"} <= added <= set(schemas["problem"]["properties"])


BROKEN = {
    "no version of OpenAPI": lambda document: document.pop("openapi"),
    "a field that isn't one": lambda document: document["info"].update(author="x"),
    "a reference to nothing": lambda document: document["components"]["schemas"].pop("run"),
    "a type that isn't one": lambda document: document["components"]["schemas"]["run"].update(type="thing"),
    "a path without its parameter": lambda document: document["paths"]["/api/v3/rollback/{id}"]["get"].update(parameters=[]),
    "an id twice": lambda document: document["paths"]["/api/v3/plan"]["get"].update(operationId="get_status"),
    "no answers": lambda document: document["paths"]["/api/v3/plan"]["get"].update(responses={}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_rules_find(description, name):
    document = copy.deepcopy(description.document)
    BROKEN[name](document)
    with pytest.raises((AssertionError, KeyError, jsonschema.ValidationError, jsonschema.SchemaError)):
        Description(document).check()
