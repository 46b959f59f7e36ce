"""The rules of OpenAPI 3.1 that our description relies on, and the description as a means to judge answers.

    description = Description(document)
    description.check()                       the document itself
    description.trouble("run", answer)        what is wrong with an answer; [] for nothing"""

import re

from jsonschema import Draft202012Validator

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def _object(needed=(), /, **properties):
    """An object of OpenAPI: these fields and extensions, nothing else."""
    return {"type": "object", "required": list(needed), "properties": properties, "patternProperties": {"^x-": True},
            "additionalProperties": False}


def _map(value, keys=".*"):
    return {"type": "object", "patternProperties": {keys: value}, "additionalProperties": False}


def _or_reference(value):
    return {"if": {"required": ["$ref"]}, "then": _object(["$ref"], **{"$ref": TEXT}), "else": value}


TEXT = {"type": "string", "minLength": 1}
SCHEMA = {"type": ["object", "boolean"]}  # judged by check_schema()
MEDIA = _object(schema=SCHEMA)
CONTENT = _map(MEDIA, "^[a-z]+/[a-z.+-]+$")
HEADER = _object(description=TEXT, required={"type": "boolean"}, schema=SCHEMA)
RESPONSE = _object(["description"], description=TEXT, headers=_map(_or_reference(HEADER)), content=CONTENT)
PARAMETER = {
    **_object(["name", "in", "schema"], name=TEXT, **{"in": {"enum": ["query", "header", "path", "cookie"]}}, description=TEXT,
              required={"type": "boolean"}, schema=SCHEMA),
    "if": {"properties": {"in": {"const": "path"}}}, "then": {"required": ["required"], "properties": {"required": {"const": True}}},
}
SECURITY = {"type": "array", "items": _map({"type": "array", "items": TEXT})}
OPERATION = _object(
    ["operationId", "responses"], operationId={"type": "string", "pattern": "^[a-z][a-z0-9_]*$"}, summary=TEXT, description=TEXT,
    tags={"type": "array", "items": TEXT, "uniqueItems": True}, parameters={"type": "array", "items": PARAMETER},
    requestBody=_object(["content"], description=TEXT, required={"type": "boolean"}, content=CONTENT),
    responses={**_map(_or_reference(RESPONSE), "^([1-5][0-9][0-9]|[1-5]XX|default)$"), "minProperties": 1}, security=SECURITY)
SCHEME = {
    "type": "object", "required": ["type"], "properties": {"type": {"enum": ["apiKey", "http", "mutualTLS", "oauth2", "openIdConnect"]}},
    "allOf": [{"if": {"properties": {"type": {"const": "http"}}}, "then": {"required": ["scheme"]}},
              {"if": {"properties": {"type": {"const": "apiKey"}}}, "then": {"required": ["name", "in"]}}],
}
COMPONENT = "^[a-zA-Z0-9._-]+$"
DOCUMENT = _object(
    ["openapi", "info", "paths"], openapi={"type": "string", "pattern": r"^3\.1\.\d+$"},
    info=_object(["title", "version"], title=TEXT, version=TEXT, summary=TEXT, description=TEXT),
    servers={"type": "array", "items": _object(["url"], url=TEXT, description=TEXT)},
    tags={"type": "array", "items": _object(["name"], name=TEXT, description=TEXT)},
    paths=_map(_object(**{method: OPERATION for method in METHODS}), "^/"), security=SECURITY,
    components=_object(schemas=_map(SCHEMA, COMPONENT), responses=_map(_or_reference(RESPONSE), COMPONENT),
                       headers=_map(_or_reference(HEADER), COMPONENT), securitySchemes=_map(SCHEME, COMPONENT)))


class Description:
    def __init__(self, document):
        self.document = document

    def operations(self):
        """(method, path, operation) of all."""
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                yield method.upper(), path, operation

    def resolve(self, value):
        while "$ref" in value:
            target = self.document
            for part in value["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            value = target
        return value

    # ---- the document itself ----

    def check(self):
        Draft202012Validator(DOCUMENT).validate(self.document)
        for schema in self._schemas(self.document):
            Draft202012Validator.check_schema(schema)
        for reference in self._references(self.document):
            assert reference.startswith("#/"), f"{reference} lies outside"
            self.resolve({"$ref": reference})
        ids = [operation["operationId"] for _, _, operation in self.operations()]
        assert len(ids) == len(set(ids)), "two operations have one id"
        for method, path, operation in self.operations():
            self._check_operation(f"{method} {path}", path, operation)

    def _check_operation(self, name, path, operation):
        parameters = [(one["in"], one["name"]) for one in operation.get("parameters", [])]
        assert len(parameters) == len(set(parameters)), f"{name}: a parameter twice"
        in_path = {parameter for place, parameter in parameters if place == "path"}
        assert in_path == set(re.findall(r"\{([^}]+)\}", path)), f"{name}: {in_path}"
        declared = {tag["name"] for tag in self.document.get("tags", [])}
        assert set(operation.get("tags", [])) <= declared, f"{name}: an undeclared tag"
        schemes = self.document["components"].get("securitySchemes", {})
        assert all(scheme in schemes for choice in operation.get("security", []) for scheme in choice), f"{name}: an undeclared scheme"
        assert any(status.startswith("2") for status in operation["responses"]), f"{name}: no success"

    def _schemas(self, value):
        if isinstance(value, dict):
            for key, part in value.items():
                if key == "schema":
                    yield part
                elif key == "schemas":
                    yield from part.values()
                else:
                    yield from self._schemas(part)
        elif isinstance(value, list):
            for part in value:
                yield from self._schemas(part)

    def _references(self, value):
        if isinstance(value, dict):
            for key, part in value.items():
                if key == "$ref":
                    yield part
                else:
                    yield from self._references(part)
        elif isinstance(value, list):
            for part in value:
                yield from self._references(part)

    # ---- answers ----

    def answer_schema(self, path, status, content_type, method="GET"):
        """The schema for such an answer; an AssertionError when the description doesn't know it."""
        responses = self.document["paths"][path][method.lower()]["responses"]
        assert str(status) in responses or "default" in responses, f"{method} {path} answered {status}, which isn't described"
        content = self.resolve(responses.get(str(status), responses.get("default")))["content"]
        assert content_type in content, f"{method} {path} answered {content_type}, which isn't described for {status}"
        return content[content_type]["schema"]

    def event_schema(self, path, event):
        media = self.document["paths"][path]["get"]["responses"]["200"]["content"]["text/event-stream"]
        events = self.resolve(media["x-events"])["properties"]
        assert event in events, f"an event '{event}' isn't described"
        return events[event]

    def trouble(self, schema, value):
        """What is wrong with `value`, one line each. `schema`: or the name of one."""
        if isinstance(schema, str):
            schema = {"$ref": f"#/components/schemas/{schema}"}
        whole = {**schema, "components": self.document["components"]}
        validator = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
        return [f"{'.'.join(map(str, error.absolute_path)) or 'it'}: {error.message[:300]}" for error in validator.iter_errors(value)]
