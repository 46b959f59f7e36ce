/* What is to be told is taken in here: written down for each receiver that hears of it, and kept. */
#include "daemon/outbox-internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/names.h"

#include <errno.h>
#include <string.h>

#define UNKEPT_MAX 32 /* for each receiver */

/* ---- which receiver hears of what ---- */

static bool hears_of(const Receiver *receiver, const News *news) {
        static const char *const abouts[] = {
                [NEWS_ALERT] = "alerts",
                [NEWS_ALERT_OVER] = "alerts",
                [NEWS_RUN_BEGUN] = "runs",
                [NEWS_RUN_ENDED] = "runs",
                [NEWS_DEPLOYED] = "deployments",
                [NEWS_INCIDENT_OPENED] = "incidents",
                [NEWS_INCIDENT_ACKNOWLEDGED] = "incidents",
                [NEWS_INCIDENT_RESOLVED] = "incidents",
                [NEWS_TEST] = NULL,
        };
        Severity least = SEVERITY_P3;
        (void)severity_parse(settings_string(receiver->config->settings, "severity"), &least);
        if (news->severity > least && !news->ends_p0)
                return false;
        if (!abouts[news->kind])
                return true;
        for (const char *const *about = settings_list(receiver->config->settings, "about"); *about; about++)
                if (strcmp(*about, abouts[news->kind]) == 0)
                        return true;
        return false;
}

/* ---- taking in ---- */

static void keep_in_memory(Receiver *receiver, const char *event, NewsMessage *message) {
        Unkept *unkept = receiver->unkept_count < UNKEPT_MAX ? calloc(1, sizeof *unkept) : NULL;
        if (!unkept) {
                receiver->view.dropped++;
                log_warn("receiver %s: %s is given up: there is no room for it", receiver->config->name, event);
                return;
        }
        snprintf(unkept->event, sizeof unkept->event, "%s", event);
        unkept->message = *message;
        *message = (NewsMessage){0};
        Unkept **link = &receiver->unkept;
        while (*link)
                link = &(*link)->next;
        *link = unkept;
        receiver->unkept_count++;
}

static void describe(OutboxEntry *entry, const Receiver *receiver, const News *news, const NewsMessage *message) {
        static const char *const kinds[] = {
                [NEWS_ALERT] = "alert",
                [NEWS_ALERT_OVER] = "alert_over",
                [NEWS_RUN_BEGUN] = "run_begun",
                [NEWS_RUN_ENDED] = "run_ended",
                [NEWS_DEPLOYED] = "deployed",
                [NEWS_INCIDENT_OPENED] = "incident_opened",
                [NEWS_INCIDENT_ACKNOWLEDGED] = "incident_acknowledged",
                [NEWS_INCIDENT_RESOLVED] = "incident_resolved",
                [NEWS_TEST] = "test",
        };
        *entry = (OutboxEntry){.headers = message->headers, .body = message->body, .made_wall = clock_wall_us()};
        snprintf(entry->receiver, sizeof entry->receiver, "%s", receiver->config->name);
        snprintf(entry->driver, sizeof entry->driver, "%s", receiver->driver->name);
        memcpy(entry->event, news->event, sizeof entry->event);
        snprintf(entry->kind, sizeof entry->kind, "%s", kinds[news->kind]);
        snprintf(entry->severity, sizeof entry->severity, "%s", severity_name(news->severity));
        memcpy(entry->path, message->path, sizeof entry->path);
}

/* That one which fails hears of it when it no longer does; so it doesn't hear that it fails. */
static bool is_about_itself(const Receiver *receiver, const News *news) {
        return receiver->failures > 0 && strcmp(news->source, OUTBOX_ALERT) == 0;
}

void outbox_put(Outbox *outbox, const News *news) {
        NewsMessage messages[RECEIVERS_MAX] = {0};
        OutboxEntry entries[RECEIVERS_MAX];
        Receiver *receivers[RECEIVERS_MAX];
        unsigned count = 0, dropped = 0;
        Error error = {0};
        for (unsigned i = 0; i < outbox->count; i++) {
                Receiver *receiver = &outbox->receivers[i];
                if (!hears_of(receiver, news) || is_about_itself(receiver, news))
                        continue;
                int r = receiver->driver->format(&outbox->settings.sender, news, 1, &messages[count]);
                if (r < 0)
                        log_warn("receiver %s: %s could not be written down: %s", receiver->config->name, news->event,
                                 strerror(-r));
                if (r <= 0)
                        continue;
                describe(&entries[count], receiver, news, &messages[count]);
                receivers[count++] = receiver;
        }
        int r = outbox->settings.journal
                        ? journal_outbox_add(outbox->settings.journal, entries, count, &dropped, &error)
                        : error_set(&error, -ENOENT, "there is no journal");
        if (r < 0 && count > 0)
                log_warn("%s can't be kept, so it is told just once: %s", news->event, error_text(&error));
        if (dropped > 0)
                log_warn("%u messages are given up: more than %d wait for a receiver", dropped, OUTBOX_WAITING_MAX);
        for (unsigned i = 0; i < count; i++) {
                if (r < 0)
                        keep_in_memory(receivers[i], news->event, &messages[i]);
                news_message_clear(&messages[i]);
        }
        if (count > 0)
                outbox_look(outbox);
}

void outbox_repeat(Outbox *outbox, const News *news, unsigned count) {
        News *heard = count > 0 ? calloc(count, sizeof *heard) : NULL;
        for (unsigned i = 0; heard && i < outbox->count; i++) {
                Receiver *receiver = &outbox->receivers[i];
                unsigned some = 0;
                NewsMessage message = {0};
                /* what waits says the same, and in order */
                bool waits = receiver->sending || receiver->paused || receiver->unkept || receiver->view.gone;
                for (unsigned k = 0; k < count && receiver->driver->repeats && !waits; k++)
                        if (hears_of(receiver, &news[k]))
                                heard[some++] = news[k];
                if (some > 0 && receiver->driver->format(&outbox->settings.sender, heard, some, &message) > 0)
                        keep_in_memory(receiver, "what stands", &message);
                news_message_clear(&message);
        }
        free(heard);
        outbox_look(outbox);
}
