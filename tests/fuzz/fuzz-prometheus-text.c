/* Any bytes as an answer of Prometheus: one number, a series in the order of time, or a refusal. */
#include "adapters/prometheus-text.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        PrometheusValue value, values[16];
        size_t count = 0;
        Error error = {0};
        if (prometheus_parse_instant((const char *)data, size, &value, &error) == 0) {
                const PrometheusReadings readings = {&value, &value, &value, &value};
                Sample sample = {0};
                if (value.answer == PROMETHEUS_NUMBER && !isfinite(value.number))
                        abort();
                if (prometheus_fill_sample(&readings, &sample, &error) == 0 &&
                    (sample.errors > sample.requests || sample.requests < 0))
                        abort();
        }
        if (prometheus_parse_range((const char *)data, size, values, 16, &count, &error) == 0)
                for (size_t i = 1; i < count; i++)
                        if (values[i].at_us <= values[i - 1].at_us)
                                abort();
        return 0;
}
