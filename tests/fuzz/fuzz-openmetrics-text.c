/* Any bytes as a scrape: taken whole or refused, and two of them compared. */
#include "adapters/openmetrics-text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const OpenMetricsTotals *totals) {
        if (totals->requests < 0 || totals->errors < 0 || totals->errors > totals->requests ||
            totals->bucket_count > OPENMETRICS_BUCKETS_MAX)
                abort();
        for (unsigned i = 1; i < totals->bucket_count; i++)
                if (totals->buckets[i].limit_us <= totals->buckets[i - 1].limit_us ||
                    totals->buckets[i].count < totals->buckets[i - 1].count)
                        abort();
        if (openmetrics_quantile_us(totals, 500000) > openmetrics_quantile_us(totals, 990000))
                abort();
}

/* The input's first half is the first scrape, what follows a NUL the second. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static OpenMetricsQuery query;
        OpenMetricsTotals before = {0}, after, difference;
        char *text = malloc(size + 1);
        if (!text || openmetrics_query_parse("r{a=\"b\"}", "code=5", "d", &query, NULL) < 0)
                abort();
        memcpy(text, data, size);
        text[size] = '\0';
        size_t first = strlen(text);
        const char *second = first < size ? text + first + 1 : text;
        bool has_before = openmetrics_parse(text, false, &query, &before, NULL) == 0;
        if (openmetrics_parse(second, true, &query, &after, NULL) == 0 && has_before &&
            openmetrics_difference(&before, &after, &difference, NULL) == 0)
                check(&difference);
        free(text);
        return 0;
}
