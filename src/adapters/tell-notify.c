/* AlertDriver "notify": the specification's own hooks. POST /notify {"message", "severity"} and, for what a person must look at now,
 * POST /page {"severity": "P0"}; both have a few fields more. Each thing is told once: of a rollback that begins and ends, not also of
 * the alerts that say the same. */
#include "adapters/tell-text.h"

#include "base/clock.h"

#include <string.h>

static bool is_wanted(const News *news) {
        switch (news->kind) {
        case NEWS_ALERT:
        case NEWS_ALERT_OVER:
                return !news->told_elsewhere;
        case NEWS_RUN_BEGUN:
                return strcmp(news->run_kind, "rollback") == 0;
        case NEWS_RUN_ENDED: /* of a run that holds its alert has paged */
                return strcmp(news->outcome, "held") != 0 && (strcmp(news->run_kind, "rollback") == 0 || news->failed);
        case NEWS_INCIDENT_ACKNOWLEDGED:
        case NEWS_INCIDENT_RESOLVED:
        case NEWS_TEST:
                return true;
        case NEWS_DEPLOYED:
        case NEWS_INCIDENT_OPENED: /* what opened it was told */
                return false;
        }
        return false;
}

/* Nobody is paged because something is over, or in somebody's hands. */
static Severity urgency_of(const News *news) {
        bool over = news->kind == NEWS_ALERT_OVER || news->kind == NEWS_INCIDENT_ACKNOWLEDGED ||
                    news->kind == NEWS_INCIDENT_RESOLVED;
        return over ? SEVERITY_P3 : news->severity;
}

static int format(const NewsSender *sender, const News *news, unsigned count, NewsMessage *ret_message) {
        char time[CLOCK_TEXT_MAX];
        if (count != 1 || !is_wanted(news))
                return 0;
        Severity severity = urgency_of(news);
        bool page = severity == SEVERITY_P0;
        json_t *body =
                json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "message", news->text, "severity",
                          page ? "P0" : tell_severity_word(severity), "id", news->event, "service", sender->service,
                          "environment", sender->environment, "host", sender->host, "time",
                          clock_format_rfc3339(news->ended_wall ? news->ended_wall : news->at_wall, time, sizeof time));
        return tell_message(ret_message, page ? "/page" : "/notify", strdup("Content-Type: application/json\n"), body);
}

const AlertDriver notify_driver = {.name = "notify", .format = format, .judge = tell_judge};
