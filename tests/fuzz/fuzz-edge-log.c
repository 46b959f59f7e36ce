/* Any bytes on the log port: frames and lines as src/adapters/edge.c takes them. A line that is understood keeps its promises. */
#include "adapters/edge-log.h"
#include "adapters/edge-tally.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const EdgeRecord *record) {
        int64_t latency_ms;
        if (strlen(record->backend) == 0 || strlen(record->backend) >= EDGE_NAME_MAX ||
            strlen(record->gate_key) >= EDGE_NAME_MAX || record->status < -1 || record->status > 999 ||
            record->response_ms < -1 || record->response_ms > EDGE_MS_MAX || record->active_ms < 0 ||
            record->parked_ms < 0)
                abort();
        edge_judge(record, 1000, &latency_ms);
        if (latency_ms < 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static EdgeTally tally;
        const char *at = (const char *)data;
        edge_tally_init(&tally, "app", 100000);
        while (size > 0) {
                const char *line;
                size_t line_size, used;
                EdgeRecord record;
                EdgeFrame frame = edge_frame_next(at, size, &line, &line_size, &used);
                if (used > size ||
                    (frame == EDGE_FRAME_LINE && (used == 0 || line < at || line + line_size > at + used)))
                        abort();
                if (frame != EDGE_FRAME_LINE)
                        break;
                if (edge_log_parse(line, line_size, &record) == EDGE_LINE_REQUEST) {
                        check(&record);
                        edge_tally_request(&tally, &record, 1);
                }
                at += used;
                size -= used;
        }
        Sample sample;
        edge_tally_take(&tally, &sample);
        if (sample.errors + sample.successes > sample.requests)
                abort();
        return 0;
}
