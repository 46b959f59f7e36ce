/* The forms of a message, field by field, and what the answers mean. */
#include "adapters/tell-text.h"
#include "base/macros.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const NewsSender sender = {.service = "novacron-dwcp",
                                  .environment = "production",
                                  .artifact = "pkg:generic/novacron@{version}?arch=amd64",
                                  .host = "node \"0\" 100%",
                                  .program_version = "0.1.0"};

#define AT INT64_C(1795362036123456) /* 2026-11-22T15:40:36.123456Z */

static News some_news(NewsKind kind) {
        return (News){.kind = kind,
                      .severity = SEVERITY_P1,
                      .event = "run/7/ended",
                      .id = "0b6ac1f0-1111-8222-8333-444455556666",
                      .chain = "0b6ac1f0-9999-8222-8333-444455556666",
                      .text = "Automatic rollback of v3.0.0 to v2.4.0 begun: \"bad\"",
                      .source = "run",
                      .at_wall = AT,
                      .run_id = 7,
                      .incident_id = 3,
                      .from = "v3.0.0",
                      .to = "v2.4.0",
                      .run_kind = "rollback",
                      .mode = "automatic",
                      .outcome = "open",
                      .reason = "error rate 5.0 %",
                      .by = "controller",
                      .trace = "0123456789abcdef0123456789abcdef"};
}

/* The body as JSON, or NULL: not for such a receiver. `ret_message` may be NULL. */
static json_t *format(const char *driver, const News *news, unsigned count, NewsMessage *ret_message) {
        NewsMessage message = {0};
        int r = alert_driver_find(driver)->format(&sender, news, count, &message);
        assert_true(r >= 0);
        if (r == 0)
                return NULL;
        json_t *body = json_loads(message.body, 0, NULL);
        assert_non_null(body);
        if (ret_message)
                *ret_message = message;
        else
                news_message_clear(&message);
        return body;
}

/* What is at "a.b.0.c", as text. */
static const char *at(const json_t *document, const char *path) {
        static char number[32];
        char copy[128], *rest;
        snprintf(copy, sizeof copy, "%s", path);
        for (char *key = strtok_r(copy, ".", &rest); key; key = strtok_r(NULL, ".", &rest))
                document = json_is_array(document) ? json_array_get(document, strtoul(key, NULL, 10))
                                                   : json_object_get(document, key);
        if (json_is_integer(document)) {
                snprintf(number, sizeof number, "%lld", (long long)json_integer_value(document));
                return number;
        }
        return json_is_string(document) ? json_string_value(document) : NULL;
}

#define assert_at(document, path, text) assert_string_equal(at(document, path), text)

/* ---- alertmanager ---- */

static void test_alertmanager_alert(UNUSED void **state) {
        News news[2] = {some_news(NEWS_ALERT), some_news(NEWS_ALERT_OVER)};
        NewsMessage message;
        news[0].source = news[1].source = "metrics";
        news[1].ended_wall = AT + 2 * USEC_PER_SEC;
        json_t *one = format("alertmanager", news, 1, &message), *both = format("alertmanager", news, 2, NULL);
        assert_string_equal(message.path, "/api/v2/alerts");
        assert_string_equal(message.headers, "Content-Type: application/json\n");
        assert_int_equal(json_array_size(one), 1);
        assert_at(one, "0.labels.alertname", "NovaCronAlert");
        assert_at(one, "0.labels.source", "metrics");
        assert_at(one, "0.labels.severity", "high");
        assert_at(one, "0.annotations.summary", news[0].text);
        assert_at(one, "0.startsAt", "2026-11-22T15:40:36.123Z");
        assert_null(at(one, "0.endsAt"));
        assert_int_equal(json_array_size(both), 2);
        assert_at(both, "1.endsAt", "2026-11-22T15:40:38.123Z");
        assert_at(both, "1.startsAt", "2026-11-22T15:40:36.123Z");
        news_message_clear(&message);
        json_decref(one);
        json_decref(both);
}

/* The labels name an alert: the beginning and the end of a run must have the same. */
static void test_alertmanager_run(UNUSED void **state) {
        News news = some_news(NEWS_RUN_BEGUN);
        json_t *begun = format("alertmanager", &news, 1, NULL);
        news.kind = NEWS_RUN_ENDED;
        news.severity = SEVERITY_P0;
        news.ended_wall = AT + 1;
        json_t *ended = format("alertmanager", &news, 1, NULL);
        assert_true(json_equal(json_object_get(json_array_get(begun, 0), "labels"),
                               json_object_get(json_array_get(ended, 0), "labels")));
        assert_at(begun, "0.labels.alertname", "NovaCronRollback");
        assert_at(begun, "0.labels.run", "7");
        assert_null(at(begun, "0.endsAt"));
        assert_non_null(at(ended, "0.endsAt"));
        json_decref(begun);
        json_decref(ended);
        news.run_kind = "deployment";
        assert_null(format("alertmanager", &news, 1, NULL));
        news = some_news(NEWS_INCIDENT_OPENED);
        assert_null(format("alertmanager", &news, 1, NULL));
}

/* ---- notify ---- */

static void check_notify(const News *news, const char *path, const char *severity) {
        NewsMessage message;
        json_t *body = format("notify", news, 1, &message);
        assert_string_equal(message.path, path);
        assert_at(body, "severity", severity);
        assert_at(body, "message", news->text);
        assert_at(body, "id", news->event);
        news_message_clear(&message);
        json_decref(body);
}

static void test_notify(UNUSED void **state) {
        static const char *const words[] = {"P0", "high", "warning", "info"};
        for (Severity severity = SEVERITY_P0; severity <= SEVERITY_P3; severity++) {
                News news = some_news(NEWS_RUN_BEGUN);
                news.severity = severity;
                check_notify(&news, severity == SEVERITY_P0 ? "/page" : "/notify", words[severity]);
        }
        static const NewsKind quiet[] = {NEWS_ALERT_OVER, NEWS_INCIDENT_ACKNOWLEDGED, NEWS_INCIDENT_RESOLVED};
        for (size_t i = 0; i < ARRAY_SIZE(quiet); i++) {
                News news = some_news(quiet[i]);
                news.severity = SEVERITY_P0; /* nobody is paged because something is over */
                check_notify(&news, "/notify", "info");
        }
}

/* Each thing is told once. */
static void test_notify_leaves_out(UNUSED void **state) {
        News news = some_news(NEWS_ALERT);
        news.told_elsewhere = true;
        assert_null(format("notify", &news, 1, NULL));
        news = some_news(NEWS_RUN_ENDED);
        news.outcome = "held"; /* its alert pages */
        assert_null(format("notify", &news, 1, NULL));
        news.outcome = "succeeded";
        news.run_kind = "deployment";
        assert_null(format("notify", &news, 1, NULL));
        news.failed = true;
        json_t *body = format("notify", &news, 1, NULL);
        assert_non_null(body);
        json_decref(body);
        news = some_news(NEWS_DEPLOYED);
        assert_null(format("notify", &news, 1, NULL));
}

/* ---- webhook ---- */

static void test_webhook(UNUSED void **state) {
        News news = some_news(NEWS_RUN_ENDED);
        NewsMessage message;
        news.outcome = "succeeded";
        news.ended_wall = AT + USEC_PER_SEC;
        json_t *body = format("webhook", &news, 1, &message);
        assert_string_equal(message.path, "");
        assert_string_equal(message.headers, "Content-Type: application/json\n"
                                             "ce-specversion: 1.0\n"
                                             "ce-id: 0b6ac1f0-1111-8222-8333-444455556666\n"
                                             "ce-source: /novacron-rollback/node%20%220%22%20100%25\n"
                                             "ce-type: dev.cdevents.service.rolledback.0.3.0\n"
                                             "ce-subject: novacron-dwcp\n"
                                             "ce-time: 2026-11-22T15:40:37.123Z\n");
        assert_at(body, "context.specversion", "0.5.1");
        assert_at(body, "context.id", news.id);
        assert_at(body, "context.type", "dev.cdevents.service.rolledback.0.3.0");
        assert_at(body, "context.chainId", news.chain);
        assert_at(body, "subject.id", "novacron-dwcp");
        assert_at(body, "subject.content.environment.id", "production");
        assert_at(body, "subject.content.artifactId", "pkg:generic/novacron@v2.4.0?arch=amd64");
        assert_at(body, "customDataContentType", "application/json");
        assert_at(body, "customData.reason", "error rate 5.0 %");
        assert_int_equal(json_object_size(body), 4);
        news_message_clear(&message);
        json_decref(body);
}

/* A collector that counts deployments must not count it. */
static void test_webhook_test(UNUSED void **state) {
        News news = some_news(NEWS_TEST);
        NewsMessage message;
        json_t *body = format("webhook", &news, 1, &message);
        assert_non_null(strstr(message.headers, "ce-type: com.novacron.rollback.test.0.1.0\n"));
        assert_null(json_object_get(body, "context"));
        assert_at(body, "message", news.text);
        assert_true(json_is_true(json_object_get(body, "test")));
        news_message_clear(&message);
        json_decref(body);
}

static void test_webhook_incident(UNUSED void **state) {
        News news = some_news(NEWS_INCIDENT_OPENED);
        json_t *body = format("webhook", &news, 1, NULL);
        assert_at(body, "context.type", "dev.cdevents.incident.detected.0.3.0");
        assert_at(body, "subject.id", "incident-3");
        assert_at(body, "subject.content.description", news.text);
        assert_at(body, "subject.content.service.id", "novacron-dwcp");
        assert_at(body, "subject.content.artifactId", "pkg:generic/novacron@v3.0.0?arch=amd64");
        json_decref(body);
        news.kind = NEWS_INCIDENT_RESOLVED;
        news.chain[0] = '\0';
        news.from = "";
        body = format("webhook", &news, 1, NULL);
        assert_at(body, "context.type", "dev.cdevents.incident.resolved.0.3.0");
        assert_null(at(body, "context.chainId"));
        assert_null(at(body, "subject.content.artifactId"));
        json_decref(body);
}

static void test_webhook_leaves_out(UNUSED void **state) {
        static const NewsKind kinds[] = {NEWS_ALERT, NEWS_ALERT_OVER, NEWS_RUN_BEGUN, NEWS_INCIDENT_ACKNOWLEDGED};
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                News news = some_news(kinds[i]);
                assert_null(format("webhook", &news, 1, NULL));
        }
        News news = some_news(NEWS_RUN_ENDED);
        news.failed = true; /* nothing was rolled back */
        assert_null(format("webhook", &news, 1, NULL));
}

/* By OpenSSL: printf '1795362036.{"a":1}' | openssl dgst -sha256 -hmac 'correct horse' */
static void test_signature(UNUSED void **state) {
        const AlertDriver *webhook = alert_driver_find("webhook");
        char header[256] = "";
        assert_int_equal(webhook->sign("", "{\"a\":1}", AT, header, sizeof header), 0);
        assert_string_equal(header, "");
        assert_int_equal(webhook->sign("correct horse", "{\"a\":1}", AT, header, sizeof header), 1);
        assert_string_equal(header, "X-NovaCron-Signature: t=1795362036,v1="
                                    "28ac99431424d260643936c9ebb2e93480f195fb68e42a5f68b23aeea4aa42ce");
        /* RFC 4231's key is longer than a block */
        char key[132], other[256];
        memset(key, 'k', sizeof key - 1);
        key[sizeof key - 1] = '\0';
        assert_int_equal(webhook->sign(key, "{\"a\":1}", AT, other, sizeof other), 1);
        assert_string_not_equal(header, other);
        assert_int_equal(webhook->sign("correct horse", "{\"a\":1}", AT + USEC_PER_SEC, other, sizeof other), 1);
        assert_string_not_equal(header, other);
}

/* ---- otlp ---- */

static void test_otlp(UNUSED void **state) {
        const NewsSpan spans[] = {{.name = "preflight",
                                   .detail = "fine",
                                   .attempt = 1,
                                   .critical = true,
                                   .from_wall = AT,
                                   .to_wall = AT + 5},
                                  {.name = "start_version",
                                   .detail = "no",
                                   .attempt = 2,
                                   .failed = true,
                                   .from_wall = AT + 6,
                                   .to_wall = AT + 9},
                                  {.name = "start_version",
                                   .detail = "yes",
                                   .attempt = 1,
                                   .recovery = true,
                                   .from_wall = AT + 10,
                                   .to_wall = AT + 12}};
        const NewsMoment moments[] = {{.text = "step 1 done", .at_wall = AT + 5}};
        News news = some_news(NEWS_RUN_ENDED);
        NewsMessage message;
        news.outcome = "put_back";
        news.failed = true;
        news.ended_wall = AT + 13;
        news.spans = spans;
        news.span_count = 3;
        news.moments = moments;
        news.moment_count = 1;
        json_t *body = format("otlp", &news, 1, &message);
        assert_string_equal(message.path, "/v1/traces");
#define S "resourceSpans.0.scopeSpans.0.spans."
        assert_at(body, "resourceSpans.0.resource.attributes.0.key", "service.name");
        assert_at(body, S "0.traceId", news.trace);
        assert_null(at(body, S "0.parentSpanId"));
        assert_at(body, S "0.startTimeUnixNano", "1795362036123456000");
        assert_at(body, S "0.endTimeUnixNano", "1795362036123469000");
        assert_at(body, S "0.status.code", "2");
        assert_at(body, S "0.events.0.name", "step 1 done");
        assert_at(body, S "1.status.code", "1");
        assert_at(body, S "2.status.code", "2");
        assert_at(body, S "2.status.message", "no");
        assert_at(body, S "2.attributes.0.value.intValue", "2");
        assert_string_equal(at(body, S "3.parentSpanId"), at(body, S "0.spanId"));
        assert_string_not_equal(at(body, S "3.spanId"), at(body, S "2.spanId"));
        json_t *again = format("otlp", &news, 1, NULL);
        assert_true(json_equal(body, again)); /* its ids, too */
        json_decref(again);
        json_decref(body);
        news_message_clear(&message);
        news.kind = NEWS_RUN_BEGUN;
        assert_null(format("otlp", &news, 1, NULL));
}

/* ---- answers ---- */

typedef struct Case {
        const char *driver;
        int code, said; /* code 0: the answer didn't come whole */
        const char *body;
        TellVerdict verdict;
} Case;

static void test_answers(UNUSED void **state) {
        static const Case cases[] = {
                {"notify", 200, 200, "", TELL_DELIVERED},
                {"notify", 202, 202, "<html>", TELL_DELIVERED},
                {"notify", 0, 200, NULL, TELL_DELIVERED},
                {"notify", 0, 0, NULL, TELL_AGAIN},
                {"notify", 0, 503, NULL, TELL_AGAIN},
                {"notify", 302, 302, "", TELL_AGAIN},
                {"notify", 400, 400, "bad\nthing", TELL_REFUSED},
                {"notify", 404, 404, "", TELL_REFUSED},
                {"notify", 408, 408, "", TELL_AGAIN},
                {"notify", 410, 410, "", TELL_GONE},
                {"notify", 429, 429, "", TELL_AGAIN},
                {"notify", 500, 500, "", TELL_AGAIN},
                {"webhook", 202, 202, "", TELL_DELIVERED},
                {"webhook", 410, 410, "", TELL_GONE},
                {"alertmanager", 200, 200, "", TELL_DELIVERED},
                {"alertmanager", 200, 200, "{\"status\":\"success\"}", TELL_DELIVERED},
                {"alertmanager", 200, 200, "<html>", TELL_AGAIN},
                {"alertmanager", 400, 400, "{\"code\":601}", TELL_REFUSED},
                {"otlp", 200, 200, "{}", TELL_DELIVERED},
                {"otlp", 200, 200, "", TELL_DELIVERED},
                {"otlp", 200, 200, "{\"partialSuccess\":{\"rejectedSpans\":\"2\",\"errorMessage\":\"no\"}}",
                 TELL_REFUSED},
                {"otlp", 200, 200, "{\"partialSuccess\":{\"rejectedSpans\":0}}", TELL_DELIVERED},
                {"otlp", 200, 200, "[]", TELL_AGAIN},
                {"otlp", 429, 429, "", TELL_AGAIN},
                {"otlp", 500, 500, "", TELL_REFUSED},
                {"otlp", 502, 502, "", TELL_AGAIN},
                {"otlp", 503, 503, "", TELL_AGAIN},
                {"otlp", 504, 504, "", TELL_AGAIN},
                {"otlp", 0, 0, NULL, TELL_AGAIN},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const Case *one = &cases[i];
                HttpAnswer answer = {.code = one->code,
                                     .said = one->said,
                                     .body = one->body ? one->body : "",
                                     .size = one->body ? strlen(one->body) : 0,
                                     .content_type = ""};
                char detail[256] = "";
                if (one->code == 0)
                        error_set(&answer.error, -ETIMEDOUT, "http://h/: no answer within 5 ms");
                TellVerdict verdict = alert_driver_find(one->driver)->judge(&answer, detail, sizeof detail);
                if (verdict != one->verdict || !detail[0] || strchr(detail, '\n'))
                        fail_msg("%s, %d %s: judged %d (%s), not %d", one->driver, one->said, one->body, verdict,
                                 detail, one->verdict);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_alertmanager_alert),
                cmocka_unit_test(test_alertmanager_run),
                cmocka_unit_test(test_notify),
                cmocka_unit_test(test_notify_leaves_out),
                cmocka_unit_test(test_webhook),
                cmocka_unit_test(test_webhook_incident),
                cmocka_unit_test(test_webhook_test),
                cmocka_unit_test(test_webhook_leaves_out),
                cmocka_unit_test(test_signature),
                cmocka_unit_test(test_otlp),
                cmocka_unit_test(test_answers),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
