/* AlertDriver "otlp": each run as a trace, OTLP/HTTP with JSON: the run is the root, each step a span below it, also the way back;
 * what the journal notes are the root's events. */
#include "adapters/tell-text.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

enum { SPAN_INTERNAL = 1 };
enum { STATUS_OK = 1, STATUS_ERROR = 2 };

#define NANO_TEXT 24
#define SPAN_TEXT 17

static json_t *nano(int64_t wall_us) {
        char text[NANO_TEXT];
        snprintf(text, sizeof text, "%" PRId64 "000", wall_us);
        return json_string(text);
}

static json_t *text_attribute(const char *key, const char *value) {
        return json_pack("{s:s, s:{s:s}}", "key", key, "value", "stringValue", value);
}

static json_t *number_attribute(const char *key, int64_t value) {
        char text[NANO_TEXT];
        snprintf(text, sizeof text, "%" PRId64, value); /* 64 bits are a text in protobuf's JSON */
        return json_pack("{s:s, s:{s:s}}", "key", key, "value", "intValue", text);
}

static json_t *bool_attribute(const char *key, bool value) {
        return json_pack("{s:s, s:{s:b}}", "key", key, "value", "boolValue", (int)value);
}

/* A span's id follows from the trace's and its place in it: the same at each try. */
static void span_id(const News *news, unsigned index, char ret_id[SPAN_TEXT]) {
        unsigned char digest[crypto_generichash_BYTES_MIN];
        char name[64];
        int length = snprintf(name, sizeof name, "%s/%u", news->trace, index);
        crypto_generichash(digest, sizeof digest, (const unsigned char *)name, (unsigned long long)length, NULL, 0);
        sodium_bin2hex(ret_id, SPAN_TEXT, digest, 8);
}

static json_t *status_of(bool failed, const char *why) {
        return failed ? json_pack("{s:i, s:s}", "code", STATUS_ERROR, "message", why)
                      : json_pack("{s:i}", "code", STATUS_OK);
}

static json_t *root_span(const News *news) {
        char id[SPAN_TEXT];
        json_t *events = json_array(), *attributes = json_array();
        span_id(news, 0, id);
        for (unsigned i = 0; i < news->moment_count; i++)
                json_array_append_new(events, json_pack("{s:o, s:s}", "timeUnixNano", nano(news->moments[i].at_wall),
                                                        "name", news->moments[i].text));
        json_array_append_new(attributes, number_attribute("novacron.run.id", news->run_id));
        json_array_append_new(attributes, text_attribute("novacron.run.kind", news->run_kind));
        json_array_append_new(attributes, text_attribute("novacron.run.mode", news->mode));
        json_array_append_new(attributes, text_attribute("novacron.run.outcome", news->outcome));
        json_array_append_new(attributes, text_attribute("novacron.release.from", news->from));
        json_array_append_new(attributes, text_attribute("novacron.release.to", news->to));
        json_array_append_new(attributes, text_attribute("novacron.run.reason", news->reason));
        json_array_append_new(attributes, text_attribute("novacron.run.initiator", news->by));
        if (news->chain[0])
                json_array_append_new(attributes, text_attribute("cdevents.chain_id", news->chain));
        return json_pack("{s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o}", "traceId", news->trace, "spanId", id, "name",
                         news->run_kind, "kind", SPAN_INTERNAL, "startTimeUnixNano", nano(news->at_wall),
                         "endTimeUnixNano", nano(news->ended_wall), "attributes", attributes, "events", events,
                         "status", status_of(news->failed, news->text));
}

static json_t *step_span(const News *news, unsigned index) {
        const NewsSpan *span = &news->spans[index];
        char id[SPAN_TEXT], parent[SPAN_TEXT];
        span_id(news, index + 1, id);
        span_id(news, 0, parent);
        json_t *attributes = json_array();
        json_array_append_new(attributes, number_attribute("novacron.step.attempt", span->attempt));
        json_array_append_new(attributes, bool_attribute("novacron.step.critical", span->critical));
        json_array_append_new(attributes, bool_attribute("novacron.step.recovery", span->recovery));
        json_array_append_new(attributes, text_attribute("novacron.step.detail", span->detail));
        return json_pack("{s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o}", "traceId", news->trace, "spanId", id,
                         "parentSpanId", parent, "name", span->name, "kind", SPAN_INTERNAL, "startTimeUnixNano",
                         nano(span->from_wall), "endTimeUnixNano", nano(span->to_wall), "attributes", attributes,
                         "status", status_of(span->failed, span->detail));
}

static json_t *resource_of(const NewsSender *sender) {
        json_t *attributes = json_array();
        json_array_append_new(attributes, text_attribute("service.name", "novacron-rollback"));
        json_array_append_new(attributes, text_attribute("service.version", sender->program_version));
        json_array_append_new(attributes, text_attribute("service.namespace", sender->service));
        json_array_append_new(attributes, text_attribute("deployment.environment.name", sender->environment));
        json_array_append_new(attributes, text_attribute("host.name", sender->host));
        return json_pack("{s:o}", "attributes", attributes);
}

static int format(const NewsSender *sender, const News *news, unsigned count, NewsMessage *ret_message) {
        bool test = news->kind == NEWS_TEST;
        if (count != 1 || (news->kind != NEWS_RUN_ENDED && !test))
                return 0;
        json_t *spans = json_array();
        json_array_append_new(spans, root_span(news));
        for (unsigned i = 0; i < news->span_count; i++)
                json_array_append_new(spans, step_span(news, i));
        bool whole = json_array_size(spans) == news->span_count + 1;
        json_t *body = json_pack("{s:[{s:o, s:[{s:{s:s, s:s}, s:o}]}]}", "resourceSpans", "resource",
                                 resource_of(sender), "scopeSpans", "scope", "name", "novacron.rollback", "version",
                                 sender->program_version, "spans", spans);
        if (!whole) {
                json_decref(body);
                return -ENOMEM;
        }
        return tell_message(ret_message, "/v1/traces", strdup("Content-Type: application/json\n"), body);
}

/* Only what the protocol calls retryable is tried again; what was taken in part isn't sent a second time. */
static TellVerdict judge(const HttpAnswer *answer, char *ret_detail, size_t size) {
        TellVerdict verdict = tell_judge_json(answer, true, ret_detail, size);
        int code = answer->said;
        if (verdict == TELL_AGAIN && code >= 400 && code != 429 && code != 502 && code != 503 && code != 504)
                return TELL_REFUSED;
        if (verdict != TELL_DELIVERED || answer->code == 0)
                return verdict;
        json_t *document = json_loadb(answer->body, answer->size, 0, NULL);
        const json_t *partial = json_object_get(document, "partialSuccess");
        const json_t *rejected = json_object_get(partial, "rejectedSpans");
        const char *why = json_string_value(json_object_get(partial, "errorMessage"));
        int64_t count = json_is_string(rejected) ? strtoll(json_string_value(rejected), NULL, 10)
                                                 : json_integer_value(rejected);
        if (count > 0)
                snprintf(ret_detail, size, "%" PRId64 " spans were rejected: %.100s", count, why ? why : "no reason");
        json_decref(document);
        return count > 0 ? TELL_REFUSED : TELL_DELIVERED;
}

const AlertDriver otlp_driver = {.name = "otlp", .format = format, .judge = judge};
