#include "daemon/minute.h"

static void add_span(Minute *minute, int64_t end_mono, const MetricsPulse *pulse) {
        minute->spans[minute->next] = (struct MinuteSpan){
                .end_mono = end_mono,
                .length_us = end_mono - minute->mono,
                .requests = pulse->requests - minute->requests,
                .failures = pulse->failures - minute->failures,
                .errors = pulse->errors - minute->errors,
        };
        minute->next = (minute->next + 1) % MINUTE_LOOKS;
        if (minute->count < MINUTE_LOOKS)
                minute->count++;
}

void minute_look(Minute *minute, int64_t now_mono, const MetricsPulse *pulse) {
        bool scraped = pulse->as_of_mono > 0;
        int64_t of_mono = scraped ? pulse->as_of_mono : now_mono;
        if (minute->heard && pulse->connected && of_mono == minute->mono)
                return; /* nothing new is known */
        bool adjoins = scraped ? pulse->from_mono == minute->mono : of_mono - minute->mono <= MINUTE_STEP_MAX_US;
        bool follows = minute->heard && pulse->connected && of_mono > minute->mono && adjoins;
        bool anew = pulse->requests < minute->requests || pulse->failures < minute->failures ||
                    pulse->errors < minute->errors; /* the source was opened again */
        if (follows && !anew)
                add_span(minute, of_mono, pulse);
        minute->heard = pulse->connected;
        minute->mono = of_mono;
        minute->requests = pulse->requests;
        minute->failures = pulse->failures;
        minute->errors = pulse->errors;
}

bool minute_read(const Minute *minute, int64_t now_mono, MinuteTotals *ret_totals) {
        MinuteTotals totals = {0};
        for (unsigned i = 0; i < minute->count; i++) {
                const struct MinuteSpan *span = &minute->spans[i];
                if (span->end_mono - span->length_us < now_mono - MINUTE_US || span->end_mono > now_mono)
                        continue;
                totals.known_us += span->length_us;
                totals.requests += span->requests;
                totals.failures += span->failures;
                totals.errors += span->errors;
                if (span->end_mono > totals.end_mono)
                        totals.end_mono = span->end_mono;
        }
        if (!minute->heard || totals.known_us == 0)
                return false;
        *ret_totals = totals;
        return true;
}
