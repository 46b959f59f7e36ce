#include "daemon/outbox-internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/names.h"
#include "core/words.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define HURRY_BUDGET_US (2 * USEC_PER_SEC)
#define PAUSE_FIRST_US USEC_PER_SEC
#define PAUSE_MAX_US (60 * USEC_PER_SEC)
#define RETRY_AFTER_MAX_US (600 * USEC_PER_SEC)
#define SWEEP_EVERY_US (3600 * USEC_PER_SEC)

static bool is_daemon(const Outbox *outbox) {
        return outbox->settings.pages_since_wall == 0;
}

/* ---- how it does ---- */

static void look_for_failing(Outbox *outbox) {
        char message[DETAIL_MAX * 2] = "";
        int64_t now = clock_mono_us();
        for (unsigned i = 0; i < outbox->count; i++) {
                const Receiver *receiver = &outbox->receivers[i];
                if (receiver->failing_mono == 0 ||
                    now - receiver->failing_mono < outbox->settings.config->alerts_patience_us)
                        continue;
                char since[CLOCK_TEXT_MAX];
                words_append(message, sizeof message, "%sreceiver %s has taken nothing since %s: %s",
                             message[0] ? "; " : "", receiver->config->name,
                             clock_format_rfc3339(receiver->view.failing_wall, since, sizeof since),
                             receiver->view.error);
        }
        outbox->hooks.failing(outbox->userdata, message[0] ? message : NULL);
}

static void note_failure(Receiver *receiver, const char *detail) {
        if (receiver->failures == 0) {
                receiver->view.failing_wall = clock_wall_us();
                receiver->failing_mono = clock_mono_us();
        }
        if (receiver->failures == 0 || strcmp(receiver->view.error, detail) != 0)
                log_warn("receiver %s: %s; it is tried again", receiver->config->name, detail);
        receiver->failures++;
        receiver->view.failed++;
        snprintf(receiver->view.error, sizeof receiver->view.error, "%s", detail);
        look_for_failing(receiver->outbox);
}

static void note_success(Receiver *receiver) {
        if (receiver->failures > 0)
                log_info("receiver %s takes messages again", receiver->config->name);
        receiver->failures = 0;
        receiver->failing_mono = receiver->view.failing_wall = 0;
        receiver->view.error[0] = '\0';
        receiver->view.delivered_wall = clock_wall_us();
        look_for_failing(receiver->outbox);
}

/* ---- pauses ---- */

static int on_pause_over(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        Receiver *receiver = userdata;
        receiver->paused = false;
        outbox_look(receiver->outbox);
        return 0;
}

static int arm(sd_event *event, sd_event_source **source, int64_t delay_us, sd_event_time_handler_t handler,
               void *userdata) {
        if (!*source)
                return sd_event_add_time_relative(event, source, CLOCK_BOOTTIME, (uint64_t)delay_us, 0, handler,
                                                  userdata);
        int r = sd_event_source_set_time_relative(*source, (uint64_t)delay_us);
        return r < 0 ? r : sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT);
}

/* 1 s, 2 s, 4 s ... 60 s; or what the receiver asks for. */
static void rest(Receiver *receiver, int64_t retry_after_us) {
        unsigned doublings = receiver->failures < 7 ? receiver->failures - 1 : 6;
        int64_t delay = PAUSE_FIRST_US << doublings;
        if (delay > PAUSE_MAX_US)
                delay = PAUSE_MAX_US;
        if (retry_after_us > delay)
                delay = retry_after_us < RETRY_AFTER_MAX_US ? retry_after_us : RETRY_AFTER_MAX_US;
        receiver->paused = arm(receiver->outbox->settings.event, &receiver->pause, delay, on_pause_over, receiver) >= 0;
}

/* ---- one message's end ---- */

static void end_entry(Receiver *receiver, bool delivered, const char *answer) {
        Error error = {0};
        Journal *journal = receiver->outbox->settings.journal;
        *(delivered ? &receiver->view.delivered : &receiver->view.dropped) += 1;
        if (receiver->entry.id == 0 || !journal)
                return;
        if (journal_outbox_end(journal, receiver->entry.id, delivered, answer, clock_wall_us(), &error) < 0)
                log_warn("receiver %s: that %s was %s could not be journalled, it may come twice: %s",
                         receiver->config->name, receiver->entry.event, delivered ? "delivered" : "dropped",
                         error_text(&error));
}

static void on_sent(void *userdata, TellVerdict verdict, int64_t retry_after_us, const char *detail) {
        Receiver *receiver = userdata;
        receiver->sending = NULL;
        switch (verdict) {
        case TELL_DELIVERED:
                note_success(receiver);
                end_entry(receiver, true, detail);
                break;
        case TELL_REFUSED:
                log_warn("receiver %s doesn't take %s: %s; it isn't sent again", receiver->config->name,
                         receiver->entry.event, detail);
                snprintf(receiver->view.error, sizeof receiver->view.error, "%s", detail);
                end_entry(receiver, false, detail);
                break;
        case TELL_GONE:
                receiver->view.gone = true;
                note_failure(receiver, detail);
                end_entry(receiver, false, detail);
                log_warn(
                        "receiver %s wants nothing any more: nothing is sent to it until the configuration is read again",
                        receiver->config->name);
                break;
        case TELL_AGAIN:
                note_failure(receiver, detail);
                if (receiver->entry.id == 0)
                        end_entry(receiver, false, detail);
                rest(receiver, retry_after_us);
                break;
        }
        journal_outbox_clear(&receiver->entry);
        receiver->entry = (OutboxEntry){0};
        outbox_look(receiver->outbox);
}

/* ---- sending ---- */

static void send_entry(Receiver *receiver) {
        const Outbox *outbox = receiver->outbox;
        Error error = {0};
        int64_t budget = settings_int(receiver->config->settings, "timeout");
        bool hurry = !is_daemon(outbox) || outbox->hooks.hurry(outbox->userdata);
        if (hurry && budget > HURRY_BUDGET_US)
                budget = HURRY_BUDGET_US;
        if (sending_begin(outbox->settings.http, receiver->config, receiver->entry.path, receiver->entry.headers,
                          receiver->entry.body, budget, on_sent, receiver, &receiver->sending, &error) >= 0)
                return;
        note_failure(receiver, error_text(&error));
        if (receiver->entry.id == 0)
                end_entry(receiver, false, error_text(&error));
        journal_outbox_clear(&receiver->entry);
        receiver->entry = (OutboxEntry){0};
        rest(receiver, -1);
}

/* What isn't kept goes first: it has but this one chance. */
static bool send_unkept(Receiver *receiver) {
        Unkept *first = receiver->unkept;
        if (!first)
                return false;
        receiver->unkept = first->next;
        receiver->unkept_count--;
        snprintf(receiver->entry.event, sizeof receiver->entry.event, "%s", first->event);
        snprintf(receiver->entry.path, sizeof receiver->entry.path, "%s", first->message.path);
        receiver->entry.headers = first->message.headers;
        receiver->entry.body = first->message.body;
        free(first);
        send_entry(receiver);
        return true;
}

/* What is too old, or in a form that this receiver has no longer, is given up. */
static bool give_up(Receiver *receiver) {
        char why[128] = "";
        int64_t now = clock_wall_us();
        if (strcmp(receiver->entry.driver, receiver->driver->name) != 0)
                snprintf(why, sizeof why, "it was made for %s", receiver->entry.driver);
        else if (now - receiver->entry.made_wall > receiver->outbox->settings.config->alerts_keep_us)
                snprintf(why, sizeof why, "it has waited longer than alerts.keep_for");
        if (why[0] == '\0')
                return false;
        log_warn("receiver %s: %s is given up: %s", receiver->config->name, receiver->entry.event, why);
        end_entry(receiver, false, why);
        journal_outbox_clear(&receiver->entry);
        receiver->entry = (OutboxEntry){0};
        return true;
}

static void send_next(Receiver *receiver) {
        Outbox *outbox = receiver->outbox;
        if (receiver->sending || receiver->view.gone || send_unkept(receiver))
                return;
        bool once = !is_daemon(outbox);
        if (receiver->paused || (once && receiver->failures > 0) || !outbox->settings.journal)
                return;
        Error error = {0};
        int r;
        while ((r = journal_outbox_next(outbox->settings.journal, receiver->config->name,
                                        once ? severity_name(SEVERITY_P0) : NULL, outbox->settings.pages_since_wall,
                                        &receiver->entry, &error)) > 0)
                if (!give_up(receiver)) {
                        send_entry(receiver);
                        break;
                }
        if (r < 0 && !outbox->journal_silent)
                log_warn("what is to be told can't be read: %s", error_text(&error));
        outbox->journal_silent = r < 0;
}

bool outbox_busy(const Outbox *outbox) {
        for (unsigned i = 0; outbox && i < outbox->count; i++)
                if (outbox->receivers[i].sending || outbox->receivers[i].unkept)
                        return true;
        return false;
}

static int on_soon(UNUSED sd_event_source *source, void *userdata) {
        Outbox *outbox = userdata;
        for (unsigned i = 0; i < outbox->count; i++)
                send_next(&outbox->receivers[i]);
        if (outbox->hooks.idle && !outbox_busy(outbox))
                outbox->hooks.idle(outbox->userdata);
        return 0;
}

void outbox_look(Outbox *outbox) {
        (void)sd_event_source_set_enabled(outbox->soon, SD_EVENT_ONESHOT);
}

/* ---- life ---- */

/* Also of receivers that are no longer configured: nobody else would ever look. */
static int on_sweep(sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        const Outbox *outbox = userdata;
        int64_t count = 0, now = clock_wall_us();
        Error error = {0};
        if (outbox->settings.journal &&
            journal_outbox_expire(outbox->settings.journal, now - outbox->settings.config->alerts_keep_us, now, &count,
                                  &error) < 0)
                log_warn("the outbox could not be swept: %s", error_text(&error));
        if (count > 0)
                log_warn("%" PRId64 " messages were given up: nobody took them within alerts.keep_for", count);
        int r = sd_event_source_set_time_relative(source, (uint64_t)SWEEP_EVERY_US);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int outbox_new(const OutboxSettings *settings, const OutboxHooks *hooks, void *userdata, Outbox **ret_outbox,
               Error *error) {
        Outbox *outbox = calloc(1, sizeof *outbox);
        if (!outbox)
                return error_set(error, -ENOMEM, "out of memory");
        outbox->settings = *settings;
        outbox->hooks = *hooks;
        outbox->userdata = userdata;
        for (unsigned i = 0; i < settings->config->receiver_count; i++) {
                const struct ConfigReceiver *config = &settings->config->receivers[i];
                const AlertDriver *driver = alert_driver_find(config->driver);
                if (driver)
                        outbox->receivers[outbox->count++] =
                                (Receiver){.outbox = outbox, .config = config, .driver = driver, .view.config = config};
        }
        int r = sd_event_add_defer(settings->event, &outbox->soon, on_soon, outbox);
        if (r >= 0 && outbox->count == 0)
                r = sd_event_source_set_enabled(outbox->soon, SD_EVENT_OFF);
        if (r >= 0 && is_daemon(outbox))
                r = arm(settings->event, &outbox->sweep, 0, on_sweep, outbox);
        if (r < 0) {
                outbox_free(outbox);
                return error_set(error, r, "nobody can be told: %s", strerror(-r));
        }
        *ret_outbox = outbox;
        return 0;
}

static void receiver_clear(Receiver *receiver) {
        sending_cancel(receiver->sending);
        journal_outbox_clear(&receiver->entry);
        sd_event_source_disable_unref(receiver->pause);
        while (receiver->unkept) {
                Unkept *next = receiver->unkept->next;
                log_warn("receiver %s: %s was told nobody: it could not be kept", receiver->config->name,
                         receiver->unkept->event);
                news_message_clear(&receiver->unkept->message);
                free(receiver->unkept);
                receiver->unkept = next;
        }
}

Outbox *outbox_free(Outbox *outbox) {
        if (!outbox)
                return NULL;
        for (unsigned i = 0; i < outbox->count; i++)
                receiver_clear(&outbox->receivers[i]);
        sd_event_source_disable_unref(outbox->soon);
        sd_event_source_disable_unref(outbox->sweep);
        free(outbox);
        return NULL;
}

/* ---- looking ---- */

unsigned outbox_count(const Outbox *outbox) {
        return outbox ? outbox->count : 0;
}

const NewsSender *outbox_sender(const Outbox *outbox) {
        return &outbox->settings.sender;
}

void outbox_view(Outbox *outbox, unsigned index, ReceiverView *ret_view) {
        Error error = {0};
        *ret_view = outbox->receivers[index].view;
        if (!outbox->settings.journal || journal_outbox_waiting(outbox->settings.journal, ret_view->config->name,
                                                                &ret_view->waiting, &ret_view->oldest_wall, &error) < 0)
                ret_view->waiting = -1;
}
