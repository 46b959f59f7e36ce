/* AlertDriver "alertmanager": POST /api/v2/alerts, for Alertmanager and Prometheus' other friends. What stands must be said again
 * before its resolve_timeout; what is over is said with endsAt. A rollback under way is an alert of its own: whoever is on call hears
 * of it when it is decided, not when it is done. */
#include "adapters/tell-text.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static bool is_alert(const News *news) {
        return news->kind == NEWS_ALERT || news->kind == NEWS_ALERT_OVER;
}

static bool is_rollback(const News *news) {
        return (news->kind == NEWS_RUN_BEGUN || news->kind == NEWS_RUN_ENDED) &&
               strcmp(news->run_kind, "rollback") == 0;
}

/* The labels are what it is known by: those of the beginning and of the end must be the same. */
static json_t *labels_of(const NewsSender *sender, const News *news) {
        json_t *labels = json_pack("{s:s, s:s, s:s, s:s, s:s}", "alertname",
                                   news->kind == NEWS_TEST ? "NovaCronTest"
                                   : is_alert(news)        ? "NovaCronAlert"
                                                           : "NovaCronRollback",
                                   "source", news->source, "service", sender->service, "environment",
                                   sender->environment, "instance", sender->host);
        char run[24];
        if (is_alert(news) || news->kind == NEWS_TEST)
                json_object_set_new(labels, "severity", json_string(tell_severity_word(news->severity)));
        else {
                snprintf(run, sizeof run, "%" PRId64, news->run_id);
                json_object_set_new(labels, "severity",
                                    json_string(strcmp(news->mode, "emergency") == 0 ? "critical" : "high"));
                json_object_set_new(labels, "run", json_string(run));
                json_object_set_new(labels, "mode", json_string(news->mode));
        }
        return labels;
}

static json_t *alert_of(const NewsSender *sender, const News *news) {
        char starts[CLOCK_TEXT_MAX], ends[CLOCK_TEXT_MAX];
        json_t *alert = json_pack("{s:o, s:{s:s}, s:s}", "labels", labels_of(sender, news), "annotations", "summary",
                                  news->text, "startsAt", clock_format_rfc3339(news->at_wall, starts, sizeof starts));
        if (news->ended_wall > 0)
                json_object_set_new(alert, "endsAt",
                                    json_string(clock_format_rfc3339(news->ended_wall, ends, sizeof ends)));
        return alert;
}

static int format(const NewsSender *sender, const News *news, unsigned count, NewsMessage *ret_message) {
        if (count == 1 && !is_alert(news) && !is_rollback(news) && news->kind != NEWS_TEST)
                return 0;
        json_t *alerts = json_array();
        for (unsigned i = 0; i < count; i++)
                if (json_array_append_new(alerts, alert_of(sender, &news[i])) < 0) {
                        json_decref(alerts);
                        return -ENOMEM;
                }
        return tell_message(ret_message, "/api/v2/alerts", strdup("Content-Type: application/json\n"), alerts);
}

static TellVerdict judge(const HttpAnswer *answer, char *ret_detail, size_t size) {
        return tell_judge_json(answer, true, ret_detail, size);
}

const AlertDriver alertmanager_driver = {.name = "alertmanager", .repeats = true, .format = format, .judge = judge};
