#include "daemon/telling-news.h"

#include "base/log.h"
#include "base/text.h"
#include "core/names.h"
#include "core/severity.h"
#include "core/steps.h"
#include "core/words.h"

#include <ctype.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#define IDENTITY_KEY "telling.identity"

/* ---- names ---- */

void tell_identity_read(Journal *journal, TellIdentity *ret_identity) {
        char hex[2 * sizeof ret_identity->key + 1];
        size_t length = 0;
        Error error = {0};
        if (journal && journal_get_value(journal, IDENTITY_KEY, hex, sizeof hex, &error) == 1 &&
            sodium_hex2bin(ret_identity->key, sizeof ret_identity->key, hex, strlen(hex), NULL, &length, NULL) == 0 &&
            length == sizeof ret_identity->key)
                return;
        randombytes_buf(ret_identity->key, sizeof ret_identity->key);
        sodium_bin2hex(hex, sizeof hex, ret_identity->key, sizeof ret_identity->key);
        if (journal && journal_set_value(journal, IDENTITY_KEY, hex, &error) < 0)
                log_warn("what is told will have other ids after a restart: %s", error_text(&error));
}

static void digest_of(const TellIdentity *identity, const char *name, unsigned char ret_digest[16]) {
        crypto_generichash(ret_digest, 16, (const unsigned char *)name, strlen(name), identity->key,
                           sizeof identity->key);
}

/* RFC 9562, version 8: what the bits are made of is ours to choose. */
static void uuid_of(const TellIdentity *identity, const char *name, char ret_uuid[40]) {
        unsigned char bytes[16];
        char hex[33];
        digest_of(identity, name, bytes);
        bytes[6] = (unsigned char)((bytes[6] & 0x0F) | 0x80);
        bytes[8] = (unsigned char)((bytes[8] & 0x3F) | 0x80);
        sodium_bin2hex(hex, sizeof hex, bytes, sizeof bytes);
        snprintf(ret_uuid, 40, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static void chain_of(const TellIdentity *identity, int64_t deployment_id, News *news) {
        char name[48];
        if (deployment_id <= 0)
                return;
        snprintf(name, sizeof name, "chain/%" PRId64, deployment_id);
        uuid_of(identity, name, news->chain);
}

static PRINTF_LIKE(3, 4) void name_event(const TellIdentity *identity, News *news, const char *format, ...) {
        va_list args;
        va_start(args, format);
        vsnprintf(news->event, sizeof news->event, format, args);
        va_end(args);
        uuid_of(identity, news->event, news->id);
}

/* ---- drafts ---- */

static void begin(NewsDraft *draft, NewsKind kind, const char *source) {
        snprintf(draft->source, sizeof draft->source, "%s", source);
        draft->news = (News){.kind = kind,
                             .text = draft->text,
                             .source = draft->source,
                             .from = draft->from,
                             .to = draft->to,
                             .run_kind = "",
                             .mode = "",
                             .outcome = "",
                             .reason = draft->reason,
                             .by = draft->by,
                             .spans = draft->spans,
                             .moments = draft->moments};
}

void news_of_alert(const TellIdentity *identity, const Alert *alert, int64_t held_run, int64_t over_wall,
                   NewsDraft *draft) {
        begin(draft, over_wall > 0 ? NEWS_ALERT_OVER : NEWS_ALERT, alert->source);
        News *news = &draft->news;
        char text[ALERT_TEXT_MAX];
        text_to_line(alert->message, text, sizeof text);
        words_append(draft->text, sizeof draft->text, "%s%s: %s", over_wall > 0 ? "Over: " : "", alert->source, text);
        news->severity =
                alert->severity; /* also its end's: that goes to whoever heard of its beginning, as the same alert */
        news->at_wall = alert->since_wall;
        news->ended_wall = over_wall;
        news->told_elsewhere = strcmp(alert->source, "run") == 0 || strcmp(alert->source, "rollback") == 0;
        if (strcmp(alert->source, "holding") == 0 && held_run > 0 && over_wall == 0)
                name_event(identity, news, "alert/holding/run-%" PRId64, held_run); /* a restart pages nobody again */
        else
                name_event(identity, news, "alert/%s/%" PRId64 "%s", alert->source, alert->since_wall,
                           over_wall > 0 ? "/over" : "");
}

/* "Automatic rollback of v3.0.0 to v2.4.0" */
static void describe_run(const Run *run, char *text, size_t size) {
        const char *mode = run_mode_name(run->plan.mode);
        text[0] = '\0';
        if (run->plan.kind == RUN_DEPLOYMENT)
                words_append(text, size, "Deployment of %s", run->plan.to);
        else
                words_append(text, size, "%c%s rollback%s%s to %s", toupper((unsigned char)mode[0]), mode + 1,
                             run->plan.from[0] ? " of " : "", run->plan.from, run->plan.to);
}

static void describe_end(const Run *run, char *text, size_t size) {
        char took[WORDS_MAX], failure[REASON_MAX];
        int64_t lasted = (run->ended_wall - run->created_wall) / USEC_PER_MSEC * USEC_PER_MSEC;
        text_to_line(run->failure, failure, sizeof failure);
        if (run->outcome == OUTCOME_SUCCEEDED)
                words_append(text, size, " succeeded in %s; %s serves", words_duration(lasted < 0 ? 0 : lasted, took),
                             run->serving[0] ? run->serving : run->plan.to);
        else
                words_append(text, size, " ended %s (%s); serving: %s. %s", run_phase_name(run->phase),
                             run_outcome_name(run->outcome), run->serving[0] ? run->serving : "nothing that is proven",
                             failure);
}

void news_of_run(const TellIdentity *identity, const Run *run, int64_t deployment_id, NewsDraft *draft) {
        bool ended = run->outcome != OUTCOME_OPEN;
        begin(draft, ended ? NEWS_RUN_ENDED : NEWS_RUN_BEGUN, "run");
        News *news = &draft->news;
        text_to_line(run->reason, draft->reason, sizeof draft->reason);
        text_to_line(run->initiator, draft->by, sizeof draft->by);
        memcpy(draft->from, run->plan.from, sizeof draft->from);
        memcpy(draft->to, run->plan.to, sizeof draft->to);
        describe_run(run, draft->text, sizeof draft->text);
        if (ended)
                describe_end(run, draft->text, sizeof draft->text);
        else if (run->plan.mode == MODE_AUTOMATIC)
                words_append(draft->text, sizeof draft->text, " begun: %s", draft->reason);
        else
                words_append(draft->text, sizeof draft->text, " begun by %s: %s", draft->by, draft->reason);
        news->severity = severity_of_run(run);
        news->ends_p0 = ended && severity_of_begun(run) == SEVERITY_P0;
        news->at_wall = run->created_wall;
        news->ended_wall = ended ? run->ended_wall : 0;
        news->run_id = run->id;
        news->run_kind = run_kind_name(run->plan.kind);
        news->mode = run_mode_name(run->plan.mode);
        news->outcome = run_outcome_name(run->outcome);
        news->failed = ended && run->outcome != OUTCOME_SUCCEEDED;
        chain_of(identity, deployment_id, news);
        if (run->id > 0)
                name_event(identity, news, "run/%" PRId64 "/%s", run->id, ended ? "ended" : "begun");
        else /* without a journal it has no number */
                name_event(identity, news, "run/at-%" PRId64 "/%s", run->created_wall, ended ? "ended" : "begun");
}

/* ---- the trace ---- */

static void add_span(NewsDraft *draft, const Run *run, const PlanStep *step, bool recovery) {
        const StepRecord *record = recovery ? &run->recovery[step->id] : &run->steps[step->id];
        if (record->started_wall == 0 || record->ended_wall == 0)
                return;
        NewsSpan *span = &draft->spans[draft->news.span_count];
        char *detail = draft->details[draft->news.span_count++];
        text_to_line(record->detail, detail, DETAIL_MAX);
        *span = (NewsSpan){.name = step_key(step->id),
                           .detail = detail,
                           .recovery = recovery,
                           .failed = record->state == STEP_FAILED || record->state == STEP_TIMED_OUT,
                           .critical = step->critical,
                           .attempt = record->attempt,
                           .from_wall = record->started_wall,
                           .to_wall = record->ended_wall};
}

static int add_moment(void *userdata, const JournalRecord *record) {
        NewsDraft *draft = userdata;
        unsigned at = draft->news.moment_count;
        if (at == MOMENTS_MAX)
                return 1;
        text_to_line(record->note, draft->notes[at], sizeof draft->notes[at]);
        draft->moments[at] = (NewsMoment){.text = draft->notes[at], .at_wall = record->at_wall};
        draft->news.moment_count++;
        return 0;
}

void news_add_trace(const TellIdentity *identity, Journal *journal, const Run *run, NewsDraft *draft) {
        unsigned char digest[16];
        Error error = {0};
        for (unsigned i = 0; i < run->plan.count; i++)
                add_span(draft, run, &run->plan.steps[i], false);
        for (unsigned i = 0; i < run->plan.count; i++)
                add_span(draft, run, &run->plan.steps[i], true);
        if (journal && run->id > 0 && journal_records(journal, run->id, add_moment, draft, &error) < 0)
                log_warn("the trace of run %" PRId64 " has no events: %s", run->id, error_text(&error));
        digest_of(identity, draft->news.event, digest);
        sodium_bin2hex(draft->news.trace, sizeof draft->news.trace, digest, sizeof digest);
}

/* ---- the others ---- */

void news_of_deployment(const TellIdentity *identity, const Deployment *deployment, NewsDraft *draft) {
        begin(draft, NEWS_DEPLOYED, "deployment");
        News *news = &draft->news;
        memcpy(draft->from, deployment->previous, sizeof draft->from);
        memcpy(draft->to, deployment->version, sizeof draft->to);
        snprintf(draft->by, sizeof draft->by, "%s", deployment->run_id > 0 ? "auto-rollback" : "somebody else");
        words_append(draft->text, sizeof draft->text, "%s was deployed%s%s", deployment->version,
                     deployment->previous[0] ? " after " : "", deployment->previous);
        news->severity = SEVERITY_P3;
        news->at_wall = deployment->at_wall;
        news->run_id = deployment->run_id;
        news->run_kind = "deployment";
        chain_of(identity, deployment->id, news);
        if (deployment->id > 0)
                name_event(identity, news, "deployment/%" PRId64, deployment->id);
        else
                name_event(identity, news, "deployment/at-%" PRId64, deployment->at_wall);
}

void news_of_incident(const TellIdentity *identity, const Incident *incident, NewsKind kind, NewsDraft *draft) {
        const char *verb = kind == NEWS_INCIDENT_OPENED         ? "opened"
                           : kind == NEWS_INCIDENT_ACKNOWLEDGED ? "acknowledged"
                                                                : "resolved";
        bool resolved = kind == NEWS_INCIDENT_RESOLVED;
        char title[DETAIL_MAX];
        begin(draft, kind, "incident");
        News *news = &draft->news;
        text_to_line(incident->title, title, sizeof title);
        text_to_line(resolved                             ? incident->resolved_by
                     : kind == NEWS_INCIDENT_ACKNOWLEDGED ? incident->acknowledged_by
                                                          : "",
                     draft->by, sizeof draft->by);
        text_to_line(incident->outcome, draft->reason, sizeof draft->reason);
        memcpy(draft->from, incident->version, sizeof draft->from);
        memcpy(draft->to, incident->target, sizeof draft->to);
        words_append(draft->text, sizeof draft->text, "Incident %" PRId64 " %s%s%s: %s", incident->id, verb,
                     draft->by[0] ? " by " : "", draft->by, title);
        news->severity = incident->severity; /* its end goes to whoever heard of its beginning */
        news->at_wall = incident->opened_wall;
        news->ended_wall = resolved                             ? incident->resolved_wall
                           : kind == NEWS_INCIDENT_ACKNOWLEDGED ? incident->acknowledged_wall
                                                                : 0;
        news->incident_id = incident->id;
        news->run_id = incident->run_id;
        news->mode = incident_cause_name(incident->cause);
        chain_of(identity, incident->deployment_id, news);
        name_event(identity, news, "incident/%" PRId64 "/%s", incident->id, verb);
        if (news->chain[0] == '\0') { /* its end belongs to its beginning all the same */
                char name[48];
                snprintf(name, sizeof name, "chain/incident-%" PRId64, incident->id);
                uuid_of(identity, name, news->chain);
        }
}

void news_of_test(const TellIdentity *identity, const char *by, int64_t now_wall, NewsDraft *draft) {
        begin(draft, NEWS_TEST, "test");
        News *news = &draft->news;
        text_to_line(by, draft->by, sizeof draft->by);
        words_append(draft->text, sizeof draft->text, "A test of NovaCron Rollback, sent by %s: nothing has happened",
                     draft->by);
        news->severity = SEVERITY_P3;
        news->at_wall = news->ended_wall = now_wall;
        news->run_kind = "test";
        name_event(identity, news, "test/%" PRId64, now_wall);
        unsigned char digest[16];
        digest_of(identity, news->event, digest);
        sodium_bin2hex(news->trace, sizeof news->trace, digest, sizeof digest);
}
