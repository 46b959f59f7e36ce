#include "report.h"

#include "base/macros.h"

#include <inttypes.h>

static void print_ms(FILE *file, const char *key, int64_t us, const char *end) {
        if (us < 0)
                fprintf(file, "\"%s\": null%s", key, end);
        else
                fprintf(file, "\"%s\": %" PRId64 ".%03" PRId64 "%s", key, us / 1000, us % 1000, end);
}

static const char *version_of(const Tally *tally, const Row *row) {
        return tally->versions[row->version];
}

static void print_totals(FILE *file, const TallySum *sum) {
        fprintf(file,
                "  \"requests\": %" PRId64 ",\n  \"failed\": %" PRId64 ",\n  \"failed_by_release\": %" PRId64 ",\n",
                sum->requests, sum->failed, sum->failed_by_release);
        fprintf(file, "  \"acknowledged_writes\": %" PRId64 ",\n  \"unacknowledged_writes\": %" PRId64 ",\n",
                sum->acknowledged_writes, sum->unacknowledged_writes);
        const struct {
                const char *key;
                int64_t us;
        } times[] = {{"p50_ms", sum->p50_us},
                     {"p90_ms", sum->p90_us},
                     {"p99_ms", sum->p99_us},
                     {"p999_ms", sum->p999_us},
                     {"longest_ms", sum->longest_us}};
        for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
                fputs("  ", file);
                print_ms(file, times[i].key, times[i].us, ",\n");
        }
        fprintf(file, "  \"longest_at_us\": %" PRId64 ",\n", sum->longest_due_us);
}

static void print_verification(FILE *file, const Verification *verification) {
        static const char *const keys[] = {"lost", "duplicated", "misnumbered", "stored", "unacknowledged_stored"};
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                if (!verification) {
                        fprintf(file, "  \"%s\": null,\n", keys[i]);
                        continue;
                }
                const int64_t values[] = {verification->lost, verification->duplicated, verification->misnumbered,
                                          verification->stored, verification->unacknowledged_stored};
                fprintf(file, "  \"%s\": %" PRId64 ",\n", keys[i], values[i]);
        }
}

static void print_by_status(FILE *file, const Tally *tally) {
        int64_t by_status[1000] = {0}, by_outcome[OUTCOME_COUNT] = {0};
        for (size_t i = 0; i < tally->count; i++) {
                by_outcome[tally->rows[i].outcome]++;
                if (tally->rows[i].status > 0)
                        by_status[tally->rows[i].status]++;
        }
        const char *comma = "";
        fputs("  \"by_status\": {", file);
        for (unsigned status = 0; status < ARRAY_SIZE(by_status); status++)
                if (by_status[status] > 0) {
                        fprintf(file, "%s\"%u\": %" PRId64, comma, status, by_status[status]);
                        comma = ", ";
                }
        fputs("},\n  \"by_outcome\": {", file);
        for (unsigned outcome = OUTCOME_ANSWERED; outcome < OUTCOME_COUNT; outcome++)
                fprintf(file, "%s\"%s\": %" PRId64, outcome > OUTCOME_ANSWERED ? ", " : "", outcome_name(outcome),
                        by_outcome[outcome]);
        fputs("},\n", file);
}

static void print_versions(FILE *file, const Tally *tally) {
        fputs("  \"versions\": [", file);
        for (unsigned version = 1; version < tally->version_count; version++) {
                int64_t requests = 0, failed = 0;
                for (size_t i = 0; i < tally->count; i++) {
                        if (tally->rows[i].version != version)
                                continue;
                        requests++;
                        failed += tally->rows[i].outcome != OUTCOME_ANSWERED;
                }
                fprintf(file, "%s\n    {\"version\": \"%s\", \"requests\": %" PRId64 ", \"failed\": %" PRId64 "}",
                        version > 1 ? "," : "", tally->versions[version], requests, failed);
        }
        fputs("],\n  \"changes\": [", file);
        for (unsigned i = 0; i < tally->change_count; i++) {
                const VersionChange *change = &tally->changes[i];
                fprintf(file,
                        "%s\n    {\"version\": \"%s\", \"first_us\": %" PRId64 ", \"last_us\": %" PRId64
                        ", \"answers\": %" PRId64 "}",
                        i > 0 ? "," : "", tally->versions[change->version], change->first_us, change->last_us,
                        change->answers);
        }
        fputs("],\n", file);
}

static void print_phases(FILE *file, const Tally *tally) {
        fputs("  \"phases\": [", file);
        for (unsigned phase = 0; phase <= tally->phase; phase++) {
                TallySum sum = tally_sum(tally, 0, tally->count, (int)phase);
                fprintf(file,
                        "%s\n    {\"phase\": %u, \"began_us\": %" PRId64 ", \"requests\": %" PRId64
                        ", \"failed\": %" PRId64 ", \"failed_by_release\": %" PRId64
                        ", \"acknowledged_writes\": %" PRId64 ", ",
                        phase > 0 ? "," : "", phase, tally->phase_began_us[phase], sum.requests, sum.failed,
                        sum.failed_by_release, sum.acknowledged_writes);
                print_ms(file, "p50_ms", sum.p50_us, ", ");
                print_ms(file, "p99_ms", sum.p99_us, ", ");
                print_ms(file, "longest_ms", sum.longest_us, ", ");
                fprintf(file, "\"longest_at_us\": %" PRId64 "}", sum.longest_due_us);
        }
        fputs("],\n", file);
}

static void print_row(FILE *file, const Tally *tally, const Row *row) {
        fprintf(file, "\"due_us\": %" PRId64 ", ", row->due_us);
        print_ms(file, "ms", row->latency_us, ", ");
        fprintf(file, "\"outcome\": \"%s\", \"status\": %d, \"version\": \"%s\", \"phase\": %u}",
                outcome_name(row->outcome), row->status, version_of(tally, row), row->phase);
}

static void print_failures(FILE *file, const Tally *tally) {
        unsigned shown = 0;
        fputs("  \"failures\": [", file);
        for (size_t i = 0; i < tally->count && shown < FAILURES_SHOWN; i++) {
                if (tally->rows[i].outcome == OUTCOME_ANSWERED)
                        continue;
                fprintf(file, "%s\n    {", shown++ > 0 ? "," : "");
                print_row(file, tally, &tally->rows[i]);
        }
        fputs("]\n", file);
}

void report_summary(FILE *file, const ClientOptions *options, const Tally *tally, const Verification *verification) {
        TallySum sum = tally_sum(tally, 0, tally->count, -1);
        fprintf(file,
                "{\n  \"client\": \"%s\",\n  \"url\": \"http://%s\",\n  \"rate\": %" PRId64
                ",\n  \"began_us\": %" PRId64 ",\n  \"ended_us\": %" PRId64 ",\n",
                options->name, options->host, options->rate, tally->began_us, tally->ended_us);
        print_totals(file, &sum);
        print_verification(file, verification);
        print_by_status(file, tally);
        print_versions(file, tally);
        print_phases(file, tally);
        print_failures(file, tally);
        fputs("}\n", file);
}

void report_requests(FILE *file, const Tally *tally) {
        fputs("due_us,latency_us,outcome,status,version,write\n", file);
        for (size_t i = 0; i < tally->count; i++) {
                const Row *row = &tally->rows[i];
                fprintf(file, "%" PRId64 ",%" PRId64 ",%s,%d,%s,%d\n", row->due_us, row->latency_us,
                        outcome_name(row->outcome), row->status, version_of(tally, row), row->write != 0);
        }
}

void report_failure(FILE *file, const Tally *tally, size_t row) {
        fputs("{\"event\": \"failed\", ", file);
        print_row(file, tally, &tally->rows[row]);
        fputc('\n', file);
}

void report_change(FILE *file, const Tally *tally) {
        const VersionChange *change = &tally->changes[tally->change_count - 1];
        fprintf(file, "{\"event\": \"version\", \"version\": \"%s\", \"t_us\": %" PRId64 "}\n",
                tally->versions[change->version], change->first_us);
}

void report_tick(FILE *file, int64_t now_us, const TickCount *count) {
        fprintf(file,
                "{\"event\": \"tick\", \"t_us\": %" PRId64 ", \"requests\": %" PRId64 ", \"failed\": %" PRId64 ", ",
                now_us, count->requests, count->failed);
        print_ms(file, "longest_ms", count->longest_us, "}\n");
}

void report_progress(FILE *file, const Tally *tally, int64_t now_us, const TickCount *second) {
        const char *version =
                tally->change_count > 0 ? tally->versions[tally->changes[tally->change_count - 1].version] : "-";
        fprintf(file,
                "%4" PRId64 " s %6" PRId64 " req/s %5" PRId64 " failed   longest %7" PRId64 ".%" PRId64 " ms   %s\n",
                (now_us - tally->began_us) / 1000000, second->requests, second->failed, second->longest_us / 1000,
                second->longest_us % 1000 / 100, version);
}
