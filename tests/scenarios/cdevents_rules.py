"""The rules of the fields of CDEvents 0.5.1 (service deployed and rolled back, incident detected and resolved) in CloudEvents 1.0,
binary mode, written out as JSON schemas after the public ones; and of OTLP/HTTP's JSON."""

import hashlib
import hmac
import re

import jsonschema

UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"
PURL = r"^pkg:[a-z]+/[^ ]+@[^ ]+$"


def text(**more):
    return {"type": "string", "minLength": 1, **more}


def closed(required, **properties):
    return {"type": "object", "required": required, "additionalProperties": False, "properties": properties}


REFERENCE = closed(["id"], id=text(), source=text(format="uri-reference"))
SERVICE = closed(["environment", "artifactId"], environment=REFERENCE, artifactId=text(pattern=PURL))
INCIDENT = closed(["environment"], environment=REFERENCE, description=text(), service=REFERENCE, artifactId=text(pattern=PURL))


def event(kind, content):
    return closed(
        ["context", "subject"],
        context=closed(["specversion", "id", "source", "type", "timestamp"], specversion={"const": "0.5.1"}, id=text(pattern=UUID),
                       source=text(format="uri-reference"), type={"const": f"dev.cdevents.{kind}.0.3.0"}, timestamp=text(pattern=TIME),
                       chainId=text(pattern=UUID), schemaUri=text(format="uri"), links={"type": "array"}),
        subject=closed(["id", "content"], id=text(), source=text(format="uri-reference"), content=content),
        customData={"type": ["object", "string"]},
        customDataContentType=text())


SCHEMAS = {f"dev.cdevents.{kind}.0.3.0": event(kind, content) for kind, content in (
    ("service.deployed", SERVICE), ("service.rolledback", SERVICE), ("incident.detected", INCIDENT), ("incident.resolved", INCIDENT))}


def check_cdevent(request):
    """One recorded request; returns its event."""
    headers, event_sent = request["headers"], request["json"]
    jsonschema.validate(event_sent, SCHEMAS[event_sent["context"]["type"]])
    context = event_sent["context"]
    assert headers["content-type"] == "application/json"
    assert (headers["ce-specversion"], headers["ce-id"], headers["ce-source"], headers["ce-type"], headers["ce-time"]) == (
        "1.0", context["id"], context["source"], context["type"], context["timestamp"])
    assert headers["ce-subject"] == event_sent["subject"]["id"]
    assert all(re.fullmatch(r"[\x21-\x7e]*", value) for key, value in headers.items() if key.startswith("ce-"))
    return event_sent


def check_signature(request, secret, within_s=60):
    """As a receiver would: the sum is right, and it was sent just now."""
    stamp, _, code = request["headers"]["x-novacron-signature"].partition(",")
    moment = stamp.removeprefix("t=")
    wanted = hmac.new(secret.encode(), f"{moment}.{request['body']}".encode(), hashlib.sha256).hexdigest()
    assert hmac.compare_digest(code, f"v1={wanted}"), request["headers"]
    assert abs(request["at"] - int(moment)) <= within_s


# ---- OTLP ----

NANO = {"type": "string", "pattern": r"^\d{19}$"}
VALUE = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": False,
         "properties": {"stringValue": {"type": "string"}, "intValue": {"type": "string", "pattern": r"^-?\d+$"}, "boolValue": {"type": "boolean"}}}
ATTRIBUTES = {"type": "array", "items": closed(["key", "value"], key=text(), value=VALUE)}
SPAN = closed(
    ["traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "status"], traceId=text(pattern="^[0-9a-f]{32}$"),
    spanId=text(pattern="^[0-9a-f]{16}$"), parentSpanId=text(pattern="^[0-9a-f]{16}$"), name=text(), kind={"const": 1},
    startTimeUnixNano=NANO, endTimeUnixNano=NANO, attributes=ATTRIBUTES,
    events={"type": "array", "items": closed(["timeUnixNano", "name"], timeUnixNano=NANO, name={"type": "string"}, attributes=ATTRIBUTES)},
    status=closed([], code={"enum": [1, 2]}, message={"type": "string"}))
TRACES = closed(["resourceSpans"], resourceSpans={"type": "array", "items": closed(
    ["resource", "scopeSpans"], resource=closed(["attributes"], attributes=ATTRIBUTES),
    scopeSpans={"type": "array", "items": closed(["scope", "spans"], scope=closed(["name"], name=text(), version=text()),
                                                 spans={"type": "array", "minItems": 1, "items": SPAN})})})


def check_trace(request):
    """One recorded request; returns its root span and the others."""
    assert request["path"] == "/v1/traces" and request["headers"]["content-type"] == "application/json"
    jsonschema.validate(request["json"], TRACES)
    resource = request["json"]["resourceSpans"][0]
    assert any(one["key"] == "service.name" for one in resource["resource"]["attributes"])
    root, *others = resource["scopeSpans"][0]["spans"]
    assert "parentSpanId" not in root
    assert len({span["spanId"] for span in (root, *others)}) == len(others) + 1
    for span in others:
        assert span["parentSpanId"] == root["spanId"] and span["traceId"] == root["traceId"]
        assert int(root["startTimeUnixNano"]) <= int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]), span
    return root, others


def attribute(span, key):
    return next((list(one["value"].values())[0] for one in span["attributes"] if one["key"] == key), None)
