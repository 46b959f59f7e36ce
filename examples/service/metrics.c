#include "metrics.h"

#include "base/macros.h"

#include <inttypes.h>

/* The text is what OpenMetrics wants in `le`; the limit is the same number. */
static const struct {
        int64_t limit_us;
        const char *text;
} bounds[METRICS_BUCKETS] = {
        {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},    {10000, "0.01"},     {25000, "0.025"}, {50000, "0.05"},
        {75000, "0.075"}, {100000, "0.1"},  {150000, "0.15"},   {250000, "0.25"},    {500000, "0.5"},  {1000000, "1.0"},
        {2500000, "2.5"}, {5000000, "5.0"}, {10000000, "10.0"}, {INT64_MAX, "+Inf"},
};

void metrics_count(ServiceMetrics *metrics, int status, int64_t duration_us) {
        unsigned bucket = 0;
        while (duration_us > bounds[bucket].limit_us)
                bucket++;
        metrics->buckets[bucket]++;
        metrics->by_status[status]++;
        metrics->count++;
        metrics->sum_us += duration_us;
}

size_t metrics_print(const ServiceMetrics *metrics, const char *version, char *out, size_t size) {
        FILE *file = fmemopen(out, size, "w");
        if (!file)
                return 0;
        fprintf(file,
                "# TYPE demo_service info\n# HELP demo_service The release that answers.\n"
                "demo_service_info{version=\"%s\"} 1\n"
                "# TYPE http_requests counter\n# HELP http_requests Requests of clients, by status.\n",
                version);
        for (unsigned status = 0; status < ARRAY_SIZE(metrics->by_status); status++)
                if (metrics->by_status[status] > 0 || status == 200)
                        fprintf(file, "http_requests_total{code=\"%u\"} %" PRId64 "\n", status,
                                metrics->by_status[status]);
        fprintf(file, "# TYPE http_request_duration_seconds histogram\n# UNIT http_request_duration_seconds seconds\n"
                      "# HELP http_request_duration_seconds From the whole request read to the answer written.\n");
        int64_t below = 0;
        for (unsigned i = 0; i < METRICS_BUCKETS; i++) {
                below += metrics->buckets[i];
                fprintf(file, "http_request_duration_seconds_bucket{le=\"%s\"} %" PRId64 "\n", bounds[i].text, below);
        }
        fprintf(file,
                "http_request_duration_seconds_sum %" PRId64 ".%06" PRId64 "\n"
                "http_request_duration_seconds_count %" PRId64 "\n# EOF\n",
                metrics->sum_us / 1000000, metrics->sum_us % 1000000, metrics->count);
        long length = ftell(file);
        return fclose(file) == 0 && length > 0 && (size_t)length < size ? (size_t)length : 0;
}
