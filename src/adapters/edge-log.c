#include "adapters/edge-log.h"

#include "base/macros.h"

#include <string.h>

#define MAGIC "novacron1 "
#define LENGTH_DIGITS_MAX 5

/* ---- frames ---- */

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static EdgeFrame next_line(const char *data, size_t size, size_t skipped, const char **ret_line, size_t *ret_size,
                           size_t *ret_used) {
        size_t within = size < EDGE_FRAME_MAX ? size : EDGE_FRAME_MAX;
        const char *end = memchr(data, '\n', within);
        if (!end)
                return size >= EDGE_FRAME_MAX ? EDGE_FRAME_BROKEN : EDGE_FRAME_PARTIAL;
        *ret_line = data;
        *ret_size = (size_t)(end - data);
        *ret_used = skipped + *ret_size + 1;
        return EDGE_FRAME_LINE;
}

EdgeFrame edge_frame_next(const char *data, size_t size, const char **ret_line, size_t *ret_size, size_t *ret_used) {
        size_t skipped = 0;
        while (skipped < size && (data[skipped] == '\n' || data[skipped] == '\r'))
                skipped++;
        *ret_used = skipped;
        data += skipped;
        size -= skipped;
        if (size == 0)
                return EDGE_FRAME_PARTIAL;
        if (!is_digit(data[0]))
                return next_line(data, size, skipped, ret_line, ret_size, ret_used);

        size_t digits = 0, length = 0;
        while (digits < size && digits < LENGTH_DIGITS_MAX && is_digit(data[digits]))
                length = length * 10 + (size_t)(data[digits++] - '0');
        if (digits == size)
                return EDGE_FRAME_PARTIAL;
        if (data[digits] != ' ' || length == 0 || length > EDGE_FRAME_MAX)
                return EDGE_FRAME_BROKEN;
        if (size - digits - 1 < length)
                return EDGE_FRAME_PARTIAL;
        *ret_line = data + digits + 1;
        *ret_size = length;
        *ret_used = skipped + digits + 1 + length;
        return EDGE_FRAME_LINE;
}

/* ---- fields ---- */

typedef struct Text {
        const char *data;
        size_t size;
} Text;

static bool text_is(Text text, const char *word) {
        return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

/* A decimal number in [min, max]; HAProxy's "-" (a variable that was never set) reads as `min`. */
static bool parse_number(Text text, int64_t min, int64_t max, int64_t *ret_value) {
        if (text.size == 1 && text.data[0] == '-') {
                *ret_value = min;
                return true;
        }
        bool negative = text.size > 0 && text.data[0] == '-';
        size_t at = negative ? 1 : 0;
        if (text.size == at || text.size - at > 18)
                return false;
        int64_t value = 0;
        for (; at < text.size; at++) {
                if (!is_digit(text.data[at]))
                        return false;
                value = value * 10 + (text.data[at] - '0');
        }
        if (negative)
                value = -value;
        if (value < min || value > max)
                return false;
        *ret_value = value;
        return true;
}

static bool parse_ms(Text text, int64_t *ret_value) {
        return parse_number(text, -1, EDGE_MS_MAX, ret_value);
}

/* The names HAProxy allows for a proxy. */
static bool parse_name(Text text, char name[static EDGE_NAME_MAX]) {
        if (text.size == 0 || text.size >= EDGE_NAME_MAX)
                return false;
        for (size_t i = 0; i < text.size; i++) {
                char c = text.data[i];
                if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !memchr("-_.:", c, 4))
                        return false;
        }
        memcpy(name, text.data, text.size);
        name[text.size] = '\0';
        return true;
}

static bool read_end(Text value, EdgeRecord *record) {
        return parse_number(value, 1, INT64_MAX / 1000, &record->end_ms);
}
static bool read_backend(Text value, EdgeRecord *record) {
        return parse_name(value, record->backend);
}
static bool read_status(Text value, EdgeRecord *record) {
        int64_t status;
        if (!parse_number(value, -1, 999, &status))
                return false;
        record->status = status < 100 ? -1 : (int)status;
        return true;
}
static bool read_state(Text value, EdgeRecord *record) {
        if (value.size < 2 || value.size > 4)
                return false;
        record->cause = value.data[0];
        record->phase = value.data[1];
        return strchr("CSPLRIDUKcs-", record->cause) && record->cause && strchr("RQCHDLTtu-", record->phase) &&
               record->phase;
}
static bool read_request_ms(Text value, EdgeRecord *record) {
        return parse_ms(value, &record->request_ms);
}
static bool read_response_ms(Text value, EdgeRecord *record) {
        return parse_ms(value, &record->response_ms);
}
static bool read_active_ms(Text value, EdgeRecord *record) {
        return parse_ms(value, &record->active_ms) && record->active_ms >= 0;
}
static bool read_gate(Text value, EdgeRecord *record) {
        if (text_is(value, "-"))
                record->gate = EDGE_GATE_NONE;
        else if (text_is(value, "passed"))
                record->gate = EDGE_GATE_PASSED;
        else if (text_is(value, "parked"))
                record->gate = EDGE_GATE_PARKED;
        else if (text_is(value, "refused"))
                record->gate = EDGE_GATE_REFUSED;
        else
                return false;
        return true;
}
static bool read_gate_key(Text value, EdgeRecord *record) {
        return parse_name(value, record->gate_key);
}
static bool read_parked(Text value, EdgeRecord *record) {
        return parse_number(value, 0, EDGE_MS_MAX, &record->parked_ms);
}

static const struct Field {
        const char *key;
        bool required;
        bool (*read)(Text value, EdgeRecord *record);
} fields[] = {
        {"end", true, read_end},        {"backend", true, read_backend}, {"status", true, read_status},
        {"state", true, read_state},    {"TR", false, read_request_ms},  {"Tr", true, read_response_ms},
        {"Ta", true, read_active_ms},   {"gate", false, read_gate},      {"key", false, read_gate_key},
        {"parked", false, read_parked},
};

/* Fields usually come in the table's order, so the search begins where the last one ended. */
static int find_field(Text key, unsigned from) {
        for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
                unsigned at = (from + i) % ARRAY_SIZE(fields);
                if (text_is(key, fields[at].key))
                        return (int)at;
        }
        return -1;
}

static bool parse_fields(Text line, EdgeRecord *record) {
        unsigned seen = 0, from = 0;
        const char *at = line.data, *end = line.data + line.size;
        while (at < end) {
                const char *stop = memchr(at, ' ', (size_t)(end - at));
                Text word = {at, (size_t)((stop ? stop : end) - at)};
                at = stop ? stop + 1 : end;
                if (text_is(word, "|"))
                        break;
                const char *equals = memchr(word.data, '=', word.size);
                if (!equals)
                        continue;
                Text key = {word.data, (size_t)(equals - word.data)};
                Text value = {equals + 1, (size_t)(word.data + word.size - equals - 1)};
                int field = find_field(key, from);
                if (field < 0)
                        continue;
                if (seen & (1u << field) || !fields[field].read(value, record))
                        return false;
                seen |= 1u << field;
                from = (unsigned)field + 1;
        }
        for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
                if (fields[i].required && !(seen & (1u << i)))
                        return false;
        return true;
}

/* What HAProxy itself says on the same log target. */
static bool is_notice(Text line) {
        static const char *const beginnings[] = {
                "Server ",  "Backup Server ", "Health check for ", "Agent check for ", "backend ",  "Proxy ",
                "Backend ", "Lua function ",  "Stopping ",         "Pausing ",         "Resuming ", "Loading ",
        };
        for (unsigned i = 0; i < ARRAY_SIZE(beginnings); i++)
                if (line.size > strlen(beginnings[i]) && memcmp(line.data, beginnings[i], strlen(beginnings[i])) == 0)
                        return true;
        return false;
}

/* "<134>": the priority some log formats put before the line. */
static Text without_priority(Text line) {
        size_t at = 1;
        if (line.size < 3 || line.data[0] != '<')
                return line;
        while (at < line.size && at <= 3 && is_digit(line.data[at]))
                at++;
        if (at == 1 || at >= line.size || line.data[at] != '>')
                return line;
        return (Text){line.data + at + 1, line.size - at - 1};
}

EdgeLine edge_log_parse(const char *line, size_t size, EdgeRecord *ret_record) {
        Text text = without_priority((Text){line, size});
        while (text.size > 0 && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r' ||
                                 text.data[text.size - 1] == '\0'))
                text.size--;
        size_t magic = strlen(MAGIC);
        if (text.size < magic || memcmp(text.data, MAGIC, magic) != 0)
                return is_notice(text) ? EDGE_LINE_NOTICE : EDGE_LINE_NONSENSE;
        /* No memset of the names: this runs for each request the balancer serves. */
        EdgeRecord record;
        record.backend[0] = record.gate_key[0] = '\0';
        record.gate = EDGE_GATE_NONE;
        record.request_ms = -1;
        record.parked_ms = 0;
        if (!parse_fields((Text){text.data + magic, text.size - magic}, &record))
                return EDGE_LINE_NONSENSE;
        *ret_record = record;
        return EDGE_LINE_REQUEST;
}
