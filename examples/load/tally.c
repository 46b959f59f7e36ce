#include "tally.h"

#include "base/macros.h"

#include <string.h>

static const char *const outcome_names[OUTCOME_COUNT] = {
        [OUTCOME_PENDING] = "pending",     [OUTCOME_ANSWERED] = "answered", [OUTCOME_STATUS] = "status",
        [OUTCOME_REFUSED] = "refused",     [OUTCOME_RESET] = "reset",       [OUTCOME_CLOSED] = "closed",
        [OUTCOME_TIMED_OUT] = "timed_out", [OUTCOME_GARBLED] = "garbled",   [OUTCOME_ABANDONED] = "abandoned",
};

const char *outcome_name(Outcome outcome) {
        return outcome_names[outcome];
}

void tally_init(Tally *tally, int64_t now_us) {
        *tally = (Tally){.began_us = now_us, .version_count = 1};
        tally->phase_began_us[0] = now_us;
}

void tally_done(Tally *tally) {
        free(tally->rows);
        tally->rows = NULL;
}

size_t tally_add(Tally *tally, int64_t due_us, uint32_t write) {
        if (tally->count == tally->room) {
                size_t room = tally->room ? 2 * tally->room : 4096;
                Row *rows = reallocarray(tally->rows, room, sizeof *rows);
                if (!rows)
                        abort(); /* a ledger with a hole in it would be worse than none */
                tally->rows = rows;
                tally->room = room;
        }
        tally->rows[tally->count] = (Row){.due_us = due_us, .write = write, .phase = (uint8_t)tally->phase};
        return tally->count++;
}

/* Index 0 stands for "said nothing", and for all that come when the table is full. */
static uint8_t version_index(Tally *tally, const char *version) {
        for (unsigned i = 0; i < tally->version_count; i++)
                if (strcmp(tally->versions[i], version) == 0)
                        return (uint8_t)i;
        if (tally->version_count == VERSIONS_MAX || strlen(version) >= VERSION_TEXT_MAX)
                return 0;
        memcpy(tally->versions[tally->version_count], version, strlen(version) + 1);
        return (uint8_t)tally->version_count++;
}

static bool note_healthy(Tally *tally, uint8_t version, int64_t now_us) {
        VersionChange *last = tally->change_count > 0 ? &tally->changes[tally->change_count - 1] : NULL;
        if (last && last->version == version) {
                last->last_us = now_us;
                last->answers++;
                return false;
        }
        if (tally->change_count == CHANGES_MAX)
                return false;
        tally->changes[tally->change_count++] = (VersionChange){version, now_us, now_us, 1};
        return true;
}

bool tally_end(Tally *tally, size_t index, int64_t now_us, Outcome outcome, int status, const char *version,
               int64_t number) {
        Row *row = &tally->rows[index];
        row->latency_us = now_us - row->due_us;
        row->outcome = (uint8_t)outcome;
        row->status = (int16_t)status;
        row->version = version_index(tally, version);
        row->number = number;
        return outcome == OUTCOME_ANSWERED && row->version != 0 && note_healthy(tally, row->version, now_us);
}

void tally_next_phase(Tally *tally, int64_t now_us) {
        if (tally->phase + 1 < PHASES_MAX)
                tally->phase_began_us[++tally->phase] = now_us;
}

static int compare(const void *a, const void *b) {
        const int64_t *x = a, *y = b;
        return (*x > *y) - (*x < *y);
}

static int64_t at_share(const int64_t *sorted, size_t count, size_t per_mille) {
        if (count == 0)
                return -1;
        size_t rank = (count * per_mille + 999) / 1000; /* nearest rank */
        return sorted[rank > 0 ? rank - 1 : 0];
}

static void sum_row(TallySum *sum, const Row *row) {
        bool failed = row->outcome != OUTCOME_ANSWERED;
        sum->requests++;
        sum->failed += failed;
        sum->failed_by_release += failed && row->version != 0;
        sum->acknowledged_writes += row->write != 0 && !failed;
        sum->unacknowledged_writes += row->write != 0 && failed;
        if (row->latency_us > sum->longest_us) {
                sum->longest_us = row->latency_us;
                sum->longest_due_us = row->due_us;
        }
}

TallySum tally_sum(const Tally *tally, size_t from, size_t to, int phase) {
        TallySum sum = {0};
        AUTO_FREE int64_t *latencies = calloc(to - from + 1, sizeof *latencies);
        if (!latencies)
                abort();
        size_t count = 0;
        for (size_t i = from; i < to; i++) {
                const Row *row = &tally->rows[i];
                if (row->outcome == OUTCOME_PENDING || (phase >= 0 && row->phase != phase))
                        continue;
                sum_row(&sum, row);
                latencies[count++] = row->latency_us;
        }
        qsort(latencies, count, sizeof *latencies, compare);
        sum.p50_us = at_share(latencies, count, 500);
        sum.p90_us = at_share(latencies, count, 900);
        sum.p99_us = at_share(latencies, count, 990);
        sum.p999_us = at_share(latencies, count, 999);
        return sum;
}
