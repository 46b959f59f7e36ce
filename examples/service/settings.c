#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

const ServiceSettings service_settings_default = {.listen = "127.0.0.1:9001", .error_status = 500};

typedef enum RowType { ROW_TEXT, ROW_NUMBER, ROW_SWITCH } RowType;

typedef struct Row {
        const char *key;
        RowType type;
        size_t offset, size; /* size: of a text */
        int64_t min, max;    /* of a number */
} Row;

#define TEXT(name)                                                                                                     \
        { #name, ROW_TEXT, offsetof(ServiceSettings, name), sizeof((ServiceSettings *)0)->name, 0, 0 }
#define NUMBER(name, min, max)                                                                                         \
        { #name, ROW_NUMBER, offsetof(ServiceSettings, name), 0, min, max }
#define SWITCH(name)                                                                                                   \
        { #name, ROW_SWITCH, offsetof(ServiceSettings, name), 0, 0, 0 }
#define DAY_MS INT64_C(86400000)

static const Row rows[] = {
        TEXT(listen),
        TEXT(data),
        TEXT(version),
        NUMBER(error_every, 0, 1000000),
        NUMBER(error_status, 400, 599),
        NUMBER(latency_every, 0, 1000000),
        NUMBER(latency_us, 0, DAY_MS * 1000),
        NUMBER(hang_every, 0, 1000000),
        NUMBER(crash_on_request, 0, 1000000000),
        NUMBER(faults_from_ms, 0, DAY_MS),
        NUMBER(faults_until_ms, 0, DAY_MS),
        SWITCH(unhealthy),
        SWITCH(hang),
        NUMBER(crash_after_ms, 0, DAY_MS),
        NUMBER(slow_start_ms, 0, DAY_MS),
        NUMBER(slow_stop_ms, 0, DAY_MS),
        SWITCH(ignore_sigterm),
};

static const Row *row_find(const char *key) {
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (strcmp(rows[i].key, key) == 0)
                        return &rows[i];
        return NULL;
}

static int set_number(const Row *row, const char *value, int64_t *number, Error *error) {
        char *end;
        errno = 0;
        long long parsed = strtoll(value, &end, 10);
        if (errno != 0 || end == value || *end != '\0' || parsed < row->min || parsed > row->max)
                return error_set(error, -EINVAL, "%s is '%s'; allowed is a whole number from %lld to %lld", row->key,
                                 value, (long long)row->min, (long long)row->max);
        *number = parsed;
        return 0;
}

static int set_value(const Row *row, const char *value, ServiceSettings *settings, Error *error) {
        char *field = (char *)settings + row->offset;
        switch (row->type) {
        case ROW_TEXT:
                if (value[0] == '\0' || strlen(value) >= row->size)
                        return error_set(error, -EINVAL, "%s needs a text of 1 to %zu characters", row->key,
                                         row->size - 1);
                memcpy(field, value, strlen(value) + 1);
                return 0;
        case ROW_NUMBER:
                return set_number(row, value, (int64_t *)(void *)field, error);
        case ROW_SWITCH:
                if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
                        return error_set(error, -EINVAL, "%s is '%s'; allowed are true and false", row->key, value);
                *(bool *)(void *)field = value[0] == 't';
                return 0;
        }
        return -EINVAL;
}

static char *trim(char *text) {
        while (isspace((unsigned char)*text))
                text++;
        char *end = text + strlen(text);
        while (end > text && isspace((unsigned char)end[-1]))
                end--;
        *end = '\0';
        return text;
}

/* A comment begins with '#' at the line's start or behind a blank, as in YAML. */
static void strip_comment(char *line) {
        for (char *at = line; *at != '\0'; at++)
                if (*at == '#' && (at == line || isspace((unsigned char)at[-1]))) {
                        *at = '\0';
                        return;
                }
}

static int parse_line(char *line, ServiceSettings *settings, unsigned *seen, Error *error) {
        strip_comment(line);
        char *key = trim(line);
        if (*key == '\0')
                return 0;
        char *colon = strchr(key, ':');
        if (!colon)
                return error_set(error, -EINVAL, "'%s' is no \"key: value\"", key);
        *colon = '\0';
        key = trim(key);
        const Row *row = row_find(key);
        if (!row)
                return error_set(error, -EINVAL, "unknown key '%s'", key);
        unsigned bit = 1U << (row - rows);
        if (*seen & bit)
                return error_set(error, -EINVAL, "%s is given twice", key);
        *seen |= bit;
        return set_value(row, trim(colon + 1), settings, error);
}

int service_settings_load(const char *path, ServiceSettings *settings, Error *error) {
        AUTO_FCLOSE FILE *file = fopen(path, "re");
        if (!file)
                return error_set(error, -errno, "cannot open %s: %s", path, strerror(errno));
        ServiceSettings loaded = *settings;
        char line[1024];
        unsigned seen = 0;
        for (unsigned number = 1; fgets(line, sizeof line, file); number++) {
                int r = parse_line(line, &loaded, &seen, error);
                if (r < 0) {
                        error_prefix(error, "%s:%u", path, number);
                        return r;
                }
        }
        if (ferror(file))
                return error_set(error, -EIO, "cannot read %s", path);
        *settings = loaded;
        return 0;
}

static bool every(int64_t nth, int64_t request) {
        return nth > 0 && request % nth == 0;
}

Fault fault_next(const ServiceSettings *settings, FaultCount *count, int64_t now_us) {
        int64_t age_ms = (now_us - count->since_us) / 1000;
        if (age_ms < settings->faults_from_ms || (settings->faults_until_ms > 0 && age_ms >= settings->faults_until_ms))
                return (Fault){0};
        int64_t request = ++count->requests;
        return (Fault){
                .crash = request == settings->crash_on_request,
                .hang = every(settings->hang_every, request),
                .error = every(settings->error_every, request),
                .latency_us = every(settings->latency_every, request) ? settings->latency_us : 0,
        };
}
