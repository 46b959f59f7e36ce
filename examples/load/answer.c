#include "answer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LENGTH_UNKNOWN SIZE_MAX

/* Copies only what a version may consist of: it is printed into JSON later. */
static void copy_version(char *target, size_t size, const char *value, size_t value_size) {
        size_t at = 0;
        while (at < value_size && at + 1 < size && (isalnum((unsigned char)value[at]) || strchr(".+-", value[at])))
                at++;
        memcpy(target, value, at);
        target[at] = '\0';
}

static bool is_header(const char *line, size_t size, const char *name, const char **ret_value) {
        size_t name_size = strlen(name);
        if (size <= name_size || line[name_size] != ':' || strncasecmp(line, name, name_size) != 0)
                return false;
        const char *value = line + name_size + 1;
        while (value < line + size && *value == ' ')
                value++;
        *ret_value = value;
        return true;
}

static void parse_header(const char *line, size_t size, Answer *answer, size_t *length) {
        const char *value;
        if (is_header(line, size, "Content-Length", &value))
                *length = strtoul(value, NULL, 10);
        else if (is_header(line, size, "Connection", &value))
                answer->close = strncasecmp(value, "close", 5) == 0;
        else if (is_header(line, size, "X-Version", &value))
                copy_version(answer->version, sizeof answer->version, value, (size_t)(line + size - value));
}

int answer_parse(const char *buffer, size_t size, bool ended, Answer *ret_answer) {
        if (size >= 5 && memcmp(buffer, "HTTP/", 5) != 0)
                return -1;
        const char *head_end = memmem(buffer, size, "\r\n\r\n", 4);
        if (!head_end)
                return 0;
        int minor;
        Answer answer = {0};
        if (sscanf(buffer, "HTTP/1.%1d %3d", &minor, &answer.status) != 2 || answer.status < 100)
                return -1;
        answer.close = minor == 0;
        size_t length = LENGTH_UNKNOWN;
        const char *line = (const char *)memmem(buffer, size, "\r\n", 2) + 2;
        while (line < head_end) {
                const char *end = memmem(line, (size_t)(head_end + 2 - line), "\r\n", 2);
                parse_header(line, (size_t)(end - line), &answer, &length);
                line = end + 2;
        }
        answer.body = head_end + 4;
        answer.body_size = size - (size_t)(answer.body - buffer);
        if (length == LENGTH_UNKNOWN) {
                answer.close = true; /* its end is the connection's */
                if (!ended)
                        return 0;
        } else if (answer.body_size < length)
                return 0;
        *ret_answer = answer;
        return 1;
}

int64_t answer_number(const Answer *answer) {
        static const char prefix[] = "{\"n\":";
        size_t skip = sizeof prefix - 1;
        if (answer->body_size <= skip || memcmp(answer->body, prefix, skip) != 0)
                return 0;
        int64_t number = 0;
        for (size_t i = skip; i < answer->body_size && isdigit((unsigned char)answer->body[i]); i++)
                number = number * 10 + (answer->body[i] - '0');
        return number;
}
