#include "adapters/tell-text.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

const char *tell_severity_word(Severity severity) {
        static const char *const words[] = {
                [SEVERITY_P0] = "critical", [SEVERITY_P1] = "high", [SEVERITY_P2] = "warning", [SEVERITY_P3] = "info"};
        return (unsigned)severity < ARRAY_SIZE(words) ? words[severity] : "info";
}

void news_message_clear(NewsMessage *message) {
        free(message->headers);
        free(message->body);
        *message = (NewsMessage){0};
}

int tell_message(NewsMessage *ret_message, const char *path, char *headers, json_t *body) {
        char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
        json_decref(body);
        if (!text || !headers) {
                free(text);
                free(headers);
                return -ENOMEM;
        }
        *ret_message = (NewsMessage){.headers = headers, .body = text};
        snprintf(ret_message->path, sizeof ret_message->path, "%s", path);
        return 1;
}

static bool worth_another_try(int code) {
        return code == 408 || code == 425 || code == 429 || code >= 500;
}

TellVerdict tell_judge(const HttpAnswer *answer, char *ret_detail, size_t size) {
        int code = answer->said;
        char line[128];
        if (code < 200) {
                snprintf(ret_detail, size, "%s", error_text(&answer->error));
                return TELL_AGAIN;
        }
        if (code < 300) {
                snprintf(ret_detail, size, answer->code ? "%d" : "%d (the rest of the answer wasn't read)", code);
                return TELL_DELIVERED;
        }
        if (code < 400) {
                snprintf(ret_detail, size, "%d: a redirect, which isn't followed", code);
                return TELL_AGAIN;
        }
        text_to_line(answer->body ? answer->body : "", line, sizeof line);
        snprintf(ret_detail, size, "%d%s%s%s", code, code == 410 ? " (nothing is wanted any more)" : "",
                 line[0] ? ": " : "", line);
        return code == 410 ? TELL_GONE : worth_another_try(code) ? TELL_AGAIN : TELL_REFUSED;
}

TellVerdict tell_judge_json(const HttpAnswer *answer, bool empty, char *ret_detail, size_t size) {
        TellVerdict verdict = tell_judge(answer, ret_detail, size);
        if (verdict != TELL_DELIVERED || answer->code == 0 || (empty && answer->size == 0))
                return verdict;
        json_t *document = json_loadb(answer->body, answer->size, 0, NULL);
        bool sound = json_is_object(document);
        json_decref(document);
        if (sound)
                return TELL_DELIVERED;
        snprintf(ret_detail, size, "%d, but with an answer that isn't its own: something else answers there",
                 answer->said);
        return TELL_AGAIN;
}
