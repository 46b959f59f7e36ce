/* AlertDriver "webhook": CDEvents 0.5.1 in CloudEvents 1.0, binary mode, for whoever follows deliveries. With a secret each request is
 * signed: X-NovaCron-Signature: t=SECONDS,v1=HEX, the HMAC-SHA256 of "SECONDS.BODY". The time is that of the sending, so a receiver
 * can refuse what is old and was recorded by somebody. A test is a CloudEvent of a type of our own, no CDEvent. */
#include "adapters/tell-text.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#define CDEVENTS_VERSION "0.5.1"

static const struct {
        NewsKind kind;
        const char *run_kind, *type;
} types[] = {
        {NEWS_DEPLOYED, "", "dev.cdevents.service.deployed.0.3.0"},
        {NEWS_RUN_ENDED, "rollback", "dev.cdevents.service.rolledback.0.3.0"},
        {NEWS_INCIDENT_OPENED, "", "dev.cdevents.incident.detected.0.3.0"},
        {NEWS_INCIDENT_RESOLVED, "", "dev.cdevents.incident.resolved.0.3.0"},
        {NEWS_TEST, "", "com.novacron.rollback.test.0.1.0"}, /* our own: nobody counts it as a deployment */
};

static const char *type_of(const News *news) {
        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
                if (types[i].kind == news->kind &&
                    (!types[i].run_kind[0] || strcmp(types[i].run_kind, news->run_kind) == 0))
                        return types[i].type;
        return NULL;
}

/* A rollback that did not roll back is no such event. */
static bool is_wanted(const News *news) {
        return type_of(news) && !(news->kind == NEWS_RUN_ENDED && news->failed);
}

static bool is_incident(const News *news) {
        return news->kind == NEWS_INCIDENT_OPENED || news->kind == NEWS_INCIDENT_RESOLVED;
}

/* "pkg:generic/novacron@{version}" */
static char *artifact_of(const NewsSender *sender, const char *version) {
        const char *mark = strstr(sender->artifact, "{version}");
        char *artifact;
        if (!mark)
                return strdup(sender->artifact);
        return asprintf(&artifact, "%.*s%s%s", (int)(mark - sender->artifact), sender->artifact, version,
                        mark + strlen("{version}")) < 0
                       ? NULL
                       : artifact;
}

static json_t *content_of(const NewsSender *sender, const News *news, const char *source) {
        const char *version = is_incident(news) ? news->from : news->to;
        AUTO_FREE char *artifact = artifact_of(sender, version);
        json_t *content = json_pack("{s:{s:s}}", "environment", "id", sender->environment);
        if (!is_incident(news)) {
                json_object_set_new(content, "artifactId", json_string(artifact ? artifact : ""));
                return content;
        }
        json_object_set_new(content, "description", json_string(news->text));
        json_object_set_new(content, "service", json_pack("{s:s, s:s}", "id", sender->service, "source", source));
        if (version[0])
                json_object_set_new(content, "artifactId", json_string(artifact ? artifact : ""));
        return content;
}

static json_t *text_or_null(const char *text) {
        return text[0] ? json_string(text) : json_null();
}

static json_t *custom_data(const News *news) {
        json_t *data = json_pack(
                "{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "severity", tell_severity_word(news->severity),
                "message", news->text, "event", news->event, "mode", text_or_null(news->mode), "from",
                text_or_null(news->from), "to", text_or_null(news->to), "reason", text_or_null(news->reason), "by",
                text_or_null(news->by), "run", news->run_id ? json_integer(news->run_id) : json_null());
        return data;
}

static json_t *event_of(const NewsSender *sender, const News *news, const char *type, const char *source,
                        const char *time, const char *subject) {
        json_t *context = json_pack("{s:s, s:s, s:s, s:s, s:s}", "specversion", CDEVENTS_VERSION, "id", news->id,
                                    "source", source, "type", type, "timestamp", time);
        if (news->chain[0])
                json_object_set_new(context, "chainId", json_string(news->chain));
        return json_pack("{s:o, s:{s:s, s:o}, s:o, s:s}", "context", context, "subject", "id", subject, "content",
                         content_of(sender, news, source), "customData", custom_data(news), "customDataContentType",
                         "application/json");
}

/* CloudEvents, HTTP binding 3.1.3.2: what isn't printable ASCII, space, quote and percent are written in percent. */
static void put_header(FILE *out, const char *name, const char *value) {
        fprintf(out, "%s: ", name);
        for (const unsigned char *at = (const unsigned char *)value; *at; at++)
                if (*at <= ' ' || *at >= 0x7F || *at == '"' || *at == '%')
                        fprintf(out, "%%%02X", *at);
                else
                        fputc(*at, out);
        fputc('\n', out);
}

static char *headers_of(const News *news, const char *type, const char *source, const char *time, const char *subject) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        if (!out)
                return NULL;
        fputs("Content-Type: application/json\nce-specversion: 1.0\n", out);
        put_header(out, "ce-id", news->id);
        put_header(out, "ce-source", source);
        put_header(out, "ce-type", type);
        put_header(out, "ce-subject", subject);
        put_header(out, "ce-time", time);
        if (fclose(out) == 0)
                return text;
        free(text);
        return NULL;
}

static int format(const NewsSender *sender, const News *news, unsigned count, NewsMessage *ret_message) {
        char time[CLOCK_TEXT_MAX], source[256], subject[128];
        if (count != 1 || !is_wanted(news))
                return 0;
        const char *type = type_of(news);
        snprintf(source, sizeof source, "/novacron-rollback/%.200s", sender->host);
        snprintf(subject, sizeof subject, "%.100s", sender->service);
        if (is_incident(news))
                snprintf(subject, sizeof subject, "incident-%" PRId64, news->incident_id);
        clock_format_rfc3339(news->ended_wall ? news->ended_wall : news->at_wall, time, sizeof time);
        json_t *body = news->kind == NEWS_TEST ? json_pack("{s:s, s:b}", "message", news->text, "test", 1)
                                               : event_of(sender, news, type, source, time, subject);
        return tell_message(ret_message, "", headers_of(news, type, source, time, subject), body);
}

static int sign(const char *secret, const char *body, int64_t now_wall, char *ret_header, size_t size) {
        unsigned char code[crypto_auth_hmacsha256_BYTES];
        char hex[2 * sizeof code + 1], moment[24];
        crypto_auth_hmacsha256_state state;
        if (secret[0] == '\0')
                return 0;
        snprintf(moment, sizeof moment, "%" PRId64, now_wall / USEC_PER_SEC);
        crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret, strlen(secret));
        crypto_auth_hmacsha256_update(&state, (const unsigned char *)moment, strlen(moment));
        crypto_auth_hmacsha256_update(&state, (const unsigned char *)".", 1);
        crypto_auth_hmacsha256_update(&state, (const unsigned char *)body, strlen(body));
        crypto_auth_hmacsha256_final(&state, code);
        sodium_bin2hex(hex, sizeof hex, code, sizeof code);
        sodium_memzero(&state, sizeof state);
        snprintf(ret_header, size, "X-NovaCron-Signature: t=%s,v1=%s", moment, hex);
        return 1;
}

const AlertDriver webhook_driver = {.name = "webhook", .format = format, .sign = sign, .judge = tell_judge};
