#include "adapters/scrape-pulse.h"

void scrape_pulse_count(MetricsPulse *pulse, const Sample *sample) {
        int64_t failures = sample->requests - sample->successes;
        pulse->from_mono = sample->start_mono;
        pulse->as_of_mono = sample->end_mono;
        pulse->requests += sample->requests;
        pulse->failures += failures;
        pulse->errors += sample->errors;
        if (sample->successes > 0) {
                pulse->last_success_mono = sample->end_mono;
                pulse->first_failure_mono = 0;
                pulse->failures_since_success = 0;
        } else if (failures > 0) {
                if (pulse->failures_since_success == 0)
                        pulse->first_failure_mono = sample->end_mono;
                pulse->failures_since_success += failures;
        }
}
