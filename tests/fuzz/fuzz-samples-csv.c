/* Any bytes as recorded samples: each row is sound and later than the one before, or the file is refused. */
#include "store/samples-csv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        SamplesCsv *csv;
        Sample sample = {0};
        Error error = {0};
        int64_t before = -1;
        int r = samples_csv_open_text((const char *)data, size, "fuzz", 30 * USEC_PER_SEC, &csv, &error);
        if (r < 0)
                return 0;
        while ((r = samples_csv_next(csv, &sample, &error)) > 0) {
                if (sample.end_wall <= before || sample.start_mono > sample.end_mono || sample.latency_p99_us < -1)
                        abort();
                if (sample.measured &&
                    (sample.errors < 0 || sample.successes < 0 || sample.errors + sample.successes > sample.requests))
                        abort();
                before = sample.end_wall;
        }
        if (r < 0 && error.code != r)
                abort();
        samples_csv_close(csv);
        return 0;
}
