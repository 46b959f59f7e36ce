#include "daemon/telling.h"

#include "base/clock.h"
#include "base/log.h"
#include "daemon/outbox.h"
#include "daemon/telling-news.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define OVER_REPEATED_US (300 * USEC_PER_SEC) /* Alertmanager's clients say for so long that an alert is over */

struct Telling {
        Outbox *outbox;
        TellIdentity identity;
        char host[HOST_NAME_MAX + 1];
        sd_event_source *repeat;
        unsigned over_count;
        struct TellOver {
                Alert alert;
                int64_t over_wall, over_mono;
        } over[ALERTS_MAX]; /* newest last */
};

/* ---- the outbox's hooks ---- */

static bool hurry(void *userdata) {
        const Controller *controller = userdata;
        return runner_run(controller->runner) != NULL;
}

static void idle(void *userdata) {
        const Controller *controller = userdata;
        if (controller->on_alerts_told && !alerts_under_way(controller))
                controller->on_alerts_told(controller->userdata);
}

static void failing(void *userdata, const char *message) {
        alert_set(userdata, OUTBOX_ALERT, message);
}

/* ---- life ---- */

static int make_outbox(Controller *controller, struct Telling *telling, Error *error) {
        const Config *config = controller->config;
        const OutboxSettings settings = {
                .event = controller->event,
                .http = controller->world->context.http,
                .config = config,
                .journal = controller->journal,
                .sender = {.service = settings_string(config->alerts_block, "service"),
                           .environment = settings_string(config->alerts_block, "environment"),
                           .artifact = settings_string(config->alerts_block, "artifact"),
                           .host = telling->host,
                           .program_version = PROJECT_VERSION},
                .pages_since_wall = controller->role == ROLE_BREAKGLASS ? controller->begun_wall : 0,
        };
        const OutboxHooks hooks = {
                .hurry = hurry, .idle = controller->role == ROLE_BREAKGLASS ? idle : NULL, .failing = failing};
        return outbox_new(&settings, &hooks, controller, &telling->outbox, error);
}

/* NULL: nobody is to be told, or nobody can be. */
static struct Telling *telling_of(Controller *controller) {
        Error error = {0};
        if (controller->telling || controller->role == ROLE_READER || controller->config->receiver_count == 0)
                return controller->telling;
        struct Telling *telling = calloc(1, sizeof *telling);
        if (!telling) {
                log_warn("nobody can be told: out of memory");
                return NULL;
        }
        if (gethostname(telling->host, sizeof telling->host - 1) < 0 || telling->host[0] == '\0')
                snprintf(telling->host, sizeof telling->host, "localhost");
        tell_identity_read(controller->journal, &telling->identity);
        if (make_outbox(controller, telling, &error) < 0) {
                log_warn("%s", error_text(&error));
                free(telling);
                return NULL;
        }
        controller->telling = telling;
        return telling;
}

bool telling_under_way(const Controller *controller) {
        return controller->role == ROLE_BREAKGLASS && controller->telling && outbox_busy(controller->telling->outbox);
}

Outbox *telling_outbox(Controller *controller) {
        struct Telling *telling = telling_of(controller);
        return telling ? telling->outbox : NULL;
}

void telling_cancel(Controller *controller) {
        struct Telling *telling = controller->telling;
        if (!telling)
                return;
        outbox_free(telling->outbox);
        sd_event_source_disable_unref(telling->repeat);
        free(telling);
        controller->telling = NULL;
}

/* ---- alerts ---- */

/* What stands, and what has been over for a short time. */
static void repeat(Controller *controller, struct Telling *telling) {
        unsigned most = controller->alert_count + telling->over_count, count = 0;
        NewsDraft *drafts = most > 0 ? calloc(most, sizeof *drafts) : NULL;
        News *news = drafts ? calloc(most, sizeof *news) : NULL;
        if (!news) {
                free(drafts);
                return;
        }
        for (unsigned i = 0; i < controller->alert_count; i++, count++)
                news_of_alert(&telling->identity, &controller->alerts[i], 0, 0, &drafts[count]);
        for (unsigned i = 0; i < telling->over_count; i++, count++)
                news_of_alert(&telling->identity, &telling->over[i].alert, 0, telling->over[i].over_wall,
                              &drafts[count]);
        for (unsigned i = 0; i < count; i++)
                news[i] = drafts[i].news;
        outbox_repeat(telling->outbox, news, count);
        free(news);
        free(drafts);
}

static void forget_over(struct Telling *telling, unsigned index) {
        memmove(&telling->over[index], &telling->over[index + 1],
                (--telling->over_count - index) * sizeof telling->over[0]);
}

static int on_repeat(sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        Controller *controller = userdata;
        struct Telling *telling = controller->telling;
        int64_t now = clock_mono_us();
        while (telling->over_count > 0 && now - telling->over[0].over_mono > OVER_REPEATED_US)
                forget_over(telling, 0);
        repeat(controller, telling);
        int r = sd_event_source_set_time_relative(source, (uint64_t)controller->config->alerts_repeat_us);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void telling_begin(Controller *controller) {
        struct Telling *telling = telling_of(controller);
        if (!telling || telling->repeat)
                return;
        if (sd_event_add_time_relative(controller->event, &telling->repeat, CLOCK_BOOTTIME,
                                       (uint64_t)controller->config->alerts_repeat_us, 0, on_repeat, controller) < 0)
                log_warn("alerts that stand aren't told again: the event loop has no timer");
}

static void remember_over(struct Telling *telling, const Alert *alert, bool over, int64_t over_wall) {
        for (unsigned i = 0; i < telling->over_count; i++)
                if (strcmp(telling->over[i].alert.source, alert->source) == 0) {
                        forget_over(telling, i);
                        break;
                }
        if (!over)
                return;
        if (telling->over_count == ALERTS_MAX)
                forget_over(telling, 0);
        telling->over[telling->over_count++] =
                (struct TellOver){.alert = *alert, .over_wall = over_wall, .over_mono = clock_mono_us()};
}

static int64_t newest_run(Controller *controller) {
        JournalNewest newest = {0};
        Error error = {0};
        return controller->journal && journal_newest(controller->journal, &newest, &error) >= 0 ? newest.run : 0;
}

void telling_alert(Controller *controller, const Alert *alert, bool over) {
        struct Telling *telling = telling_of(controller);
        NewsDraft *draft = telling ? calloc(1, sizeof *draft) : NULL;
        if (!draft)
                return;
        int64_t now = over ? clock_wall_us() : 0;
        remember_over(telling, alert, over, now);
        news_of_alert(&telling->identity, alert, newest_run(controller), now, draft);
        outbox_put(telling->outbox, &draft->news);
        free(draft);
}

/* ---- runs ---- */

static int first_of_another(void *userdata, const Deployment *deployment) {
        int64_t *run_and_found = userdata;
        if (deployment->run_id == run_and_found[0] && deployment->run_id > 0)
                return 0;
        run_and_found[1] = deployment->id;
        return 1;
}

/* The deployment that a run is about, or comes after: not the one that it is or has become itself. */
static int64_t deployment_before(Controller *controller, const Run *run) {
        int64_t run_and_found[2] = {run->id, 0};
        Error error = {0};
        if (controller->journal)
                (void)journal_deployments(controller->journal, 2, first_of_another, run_and_found, &error);
        return run_and_found[1];
}

static void tell_run(Controller *controller, const Run *run) {
        struct Telling *telling = telling_of(controller);
        NewsDraft *draft = telling ? calloc(1, sizeof *draft) : NULL;
        if (!draft)
                return;
        int64_t about = run->plan.kind == RUN_ROLLBACK ? deployment_before(controller, run) : 0;
        news_of_run(&telling->identity, run, about, draft);
        if (draft->news.kind == NEWS_RUN_ENDED)
                news_add_trace(&telling->identity, controller->journal, run, draft);
        outbox_put(telling->outbox, &draft->news);
        free(draft);
}

void telling_run_begun(Controller *controller, const Run *run) {
        if (run->outcome == OUTCOME_OPEN)
                tell_run(controller, run);
}

void telling_run_ended(Controller *controller, const Run *run) {
        if (run->outcome != OUTCOME_OPEN)
                tell_run(controller, run);
}

/* ---- the others ---- */

void telling_deployed(Controller *controller, const Deployment *deployment) {
        struct Telling *telling = telling_of(controller);
        NewsDraft *draft = telling ? calloc(1, sizeof *draft) : NULL;
        if (!draft)
                return;
        news_of_deployment(&telling->identity, deployment, draft);
        outbox_put(telling->outbox, &draft->news);
        free(draft);
}

void telling_incident(Controller *controller, const Incident *incident, IncidentChange change) {
        static const NewsKind kinds[] = {[INCIDENT_OPENED] = NEWS_INCIDENT_OPENED,
                                         [INCIDENT_WAS_ACKNOWLEDGED] = NEWS_INCIDENT_ACKNOWLEDGED,
                                         [INCIDENT_WAS_RESOLVED] = NEWS_INCIDENT_RESOLVED};
        struct Telling *telling = change == INCIDENT_CHANGED ? NULL : telling_of(controller);
        NewsDraft *draft = telling ? calloc(1, sizeof *draft) : NULL;
        if (!draft)
                return;
        news_of_incident(&telling->identity, incident, kinds[change], draft);
        outbox_put(telling->outbox, &draft->news);
        free(draft);
}

int telling_test(Controller *controller, const struct ConfigReceiver *receiver, const char *by,
                 NewsMessage *ret_message) {
        struct Telling *telling = telling_of(controller);
        const AlertDriver *driver = alert_driver_find(receiver->driver);
        NewsDraft *draft = telling && driver ? calloc(1, sizeof *draft) : NULL;
        if (!draft)
                return -ENOMEM;
        news_of_test(&telling->identity, by, clock_wall_us(), draft);
        int r = driver->format(outbox_sender(telling->outbox), &draft->news, 1, ret_message);
        free(draft);
        return r > 0 ? 0 : r < 0 ? r : -EOPNOTSUPP;
}
