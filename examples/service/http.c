#include "http.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *status_words(int status) {
        switch (status) {
        case 200:
                return "OK";
        case 400:
                return "Bad Request";
        case 404:
                return "Not Found";
        case 405:
                return "Method Not Allowed";
        case 413:
                return "Content Too Large";
        case 501:
                return "Not Implemented";
        case 503:
                return "Service Unavailable";
        case 507:
                return "Insufficient Storage";
        default:
                return status >= 500 ? "Internal Server Error" : "Unknown";
        }
}

/* Copies the word that ends at `end` to `target`; false when it doesn't fit. */
static bool copy_word(char *target, size_t size, const char *word, const char *end) {
        size_t length = (size_t)(end - word);
        if (length == 0 || length >= size)
                return false;
        memcpy(target, word, length);
        target[length] = '\0';
        return true;
}

static int parse_request_line(const char *line, const char *end, Request *request) {
        const char *method_end = memchr(line, ' ', (size_t)(end - line));
        if (!method_end || !copy_word(request->method, sizeof request->method, line, method_end))
                return 400;
        const char *target = method_end + 1;
        const char *target_end = memchr(target, ' ', (size_t)(end - target));
        if (!target_end || target_end == target)
                return 400;
        const char *query = memchr(target, '?', (size_t)(target_end - target));
        if (!copy_word(request->path, sizeof request->path, target, query ? query : target_end))
                return 404;
        const char *protocol = target_end + 1;
        size_t length = (size_t)(end - protocol);
        if (length != 8 || memcmp(protocol, "HTTP/1.", 7) != 0)
                return 400;
        request->keep_alive = protocol[7] == '1';
        return 0;
}

static int parse_length(const char *value, size_t size, size_t *ret_length) {
        size_t length = 0;
        if (size == 0 || size > 9)
                return size == 0 ? 400 : 413;
        for (size_t i = 0; i < size; i++) {
                if (!isdigit((unsigned char)value[i]))
                        return 400;
                length = length * 10 + (size_t)(value[i] - '0');
        }
        *ret_length = length;
        return 0;
}

static int parse_header(const char *line, const char *end, Request *request) {
        const char *colon = memchr(line, ':', (size_t)(end - line));
        if (!colon)
                return 400;
        size_t name_size = (size_t)(colon - line);
        const char *value = colon + 1;
        while (value < end && (*value == ' ' || *value == '\t'))
                value++;
        while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
                end--;
        size_t value_size = (size_t)(end - value);
        if (name_size == 14 && strncasecmp(line, "Content-Length", 14) == 0)
                return parse_length(value, value_size, &request->body_size);
        if (name_size == 17 && strncasecmp(line, "Transfer-Encoding", 17) == 0)
                return 501; /* nobody needs to send chunks to us */
        if (name_size == 10 && strncasecmp(line, "Connection", 10) == 0) {
                if (value_size == 5 && strncasecmp(value, "close", 5) == 0)
                        request->keep_alive = false;
                else if (value_size == 10 && strncasecmp(value, "keep-alive", 10) == 0)
                        request->keep_alive = true;
        }
        return 0;
}

int request_parse(const char *buffer, size_t size, Request *ret_request) {
        const char *head_end = memmem(buffer, size, "\r\n\r\n", 4);
        if (!head_end)
                return size >= REQUEST_MAX ? 413 : 0;
        Request request = {0};
        const char *line = buffer;
        while (line <= head_end) {
                const char *end = memmem(line, (size_t)(head_end + 2 - line), "\r\n", 2);
                int status =
                        line == buffer ? parse_request_line(line, end, &request) : parse_header(line, end, &request);
                if (status != 0)
                        return status;
                line = end + 2;
        }
        request.body = head_end + 4;
        size_t head_size = (size_t)(request.body - buffer);
        if (request.body_size > REQUEST_MAX - head_size)
                return 413;
        if (size - head_size < request.body_size)
                return 0;
        request.size = head_size + request.body_size;
        *ret_request = request;
        return 1;
}

size_t response_head(char *out, size_t size, int status, const char *type, size_t body_size, const char *version,
                     bool keep_alive) {
        int length =
                snprintf(out, size,
                         "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nX-Version: %s\r\n"
                         "Cache-Control: no-store\r\nConnection: %s\r\n\r\n",
                         status, status_words(status), type, body_size, version, keep_alive ? "keep-alive" : "close");
        return length > 0 && (size_t)length < size ? (size_t)length : 0;
}
