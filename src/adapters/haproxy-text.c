#include "adapters/haproxy-text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Columns of `show stat`; HAProxy only ever adds new ones at the end. */
enum {
        COLUMN_SERVER = 1,
        COLUMN_QUEUED = 2,
        COLUMN_CURRENT = 4,
        COLUMN_LIMIT = 6,
        COLUMN_TOTAL = 7,
        COLUMN_STATUS = 17,
        COLUMN_CHECK = 36
};
#define SERVERS_MAX 4096
#define ADMIN_DRAINED 0x18U /* a bit each: by an administrator, and as its tracked server is */

void haproxy_backend_free(HaproxyBackend *backend) {
        free(backend->servers);
        *backend = (HaproxyBackend){0};
}

const char *haproxy_complaint(const char *text, char *buffer, size_t size) {
        size_t used = 0;
        text += strspn(text, "\r\n\t ");
        for (; *text && *text != '\n' && used + 1 < size; text++)
                buffer[used++] = isprint((unsigned char)*text) ? *text : '?';
        buffer[used] = '\0';
        return buffer;
}

const char *haproxy_next_answer(const char *text) {
        const char *blank = strstr(text, "\n\n");
        return blank ? blank + 2 : text + strlen(text);
}

/* The column's text, NULL when the row is shorter. None of the columns we read is ever quoted, nor any before them. */
static const char *column(const char *row, unsigned index, size_t *ret_size) {
        for (; index > 0; index--) {
                row += strcspn(row, ",\n");
                if (*row++ != ',')
                        return NULL;
        }
        *ret_size = strcspn(row, ",\n");
        return row;
}

static bool column_number(const char *row, unsigned index, int64_t *ret_value) {
        size_t size;
        const char *text = column(row, index, &size);
        if (!text || size == 0 || size > 18)
                return false;
        int64_t value = 0;
        for (size_t i = 0; i < size; i++) {
                if (!isdigit((unsigned char)text[i]))
                        return false;
                value = value * 10 + (text[i] - '0');
        }
        *ret_value = value;
        return true;
}

static bool starts_with(const char *text, size_t size, const char *word) {
        return size >= strlen(word) && memcmp(text, word, strlen(word)) == 0;
}

/* "UP", "UP 1/2", "no check", "DOWN", "DOWN 1/2", "NOLB", "DRAIN", "MAINT (via app/s1)" ... */
static HaproxyServerState parse_state(const char *text, size_t size) {
        if (starts_with(text, size, "MAINT"))
                return HAPROXY_MAINT;
        if (starts_with(text, size, "DRAIN"))
                return HAPROXY_DRAIN;
        if (starts_with(text, size, "DOWN") || starts_with(text, size, "NOLB"))
                return HAPROXY_DOWN;
        return HAPROXY_UP;
}

static int parse_server(const char *row, HaproxyBackend *backend) {
        if (backend->count >= SERVERS_MAX)
                return -E2BIG;
        HaproxyServer server = {0};
        size_t name_size, size;
        int64_t queued;
        const char *name = column(row, COLUMN_SERVER, &name_size);
        if (!name || name_size == 0 || name_size >= sizeof server.name || !column_number(row, COLUMN_QUEUED, &queued) ||
            !column_number(row, COLUMN_CURRENT, &server.in_flight) || !column_number(row, COLUMN_TOTAL, &server.total))
                return -EBADMSG;
        const char *status = column(row, COLUMN_STATUS, &size);
        if (!status)
                return -EBADMSG;
        server.state = parse_state(status, size);
        const char *check = column(row, COLUMN_CHECK, &size);
        server.checked = check && size > 0;
        server.in_flight += queued;
        if (!column_number(row, COLUMN_LIMIT, &server.limit) || server.limit == 0)
                server.limit = -1;
        memcpy(server.name, name, name_size);
        HaproxyServer *servers = realloc(backend->servers, (backend->count + 1) * sizeof *servers);
        if (!servers)
                return -ENOMEM;
        backend->servers = servers;
        servers[backend->count++] = server;
        return 0;
}

static int parse_row(const char *row, HaproxyBackend *backend) {
        size_t size;
        const char *name = column(row, COLUMN_SERVER, &size);
        if (!name)
                return -EBADMSG;
        if (size == strlen("BACKEND") && memcmp(name, "BACKEND", size) == 0)
                return column_number(row, COLUMN_QUEUED, &backend->queued) ? 0 : -EBADMSG;
        return parse_server(row, backend);
}

int haproxy_backend_parse(const char *text, HaproxyBackend *ret_backend, Error *error) {
        char said[96];
        if (strncmp(text, "No such proxy", strlen("No such proxy")) == 0)
                return error_set(error, -ENOENT, "no such backend");
        if (strncmp(text, "# pxname,svname,", strlen("# pxname,svname,")) != 0)
                return error_set(error, -EBADMSG, "this isn't how HAProxy answers: \"%s\"",
                                 haproxy_complaint(text, said, sizeof said));
        HaproxyBackend backend = {0};
        for (const char *row = strchr(text, '\n'); row && row[1] && row[1] != '\n'; row = strchr(row + 1, '\n')) {
                int r = parse_row(row + 1, &backend);
                if (r < 0) {
                        haproxy_backend_free(&backend);
                        return error_set(error, r, "a row of `show stat` can't be read: \"%s\"",
                                         haproxy_complaint(row + 1, said, sizeof said));
                }
        }
        *ret_backend = backend;
        return 0;
}

/* "be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state ..." */
static void note_drained(HaproxyBackend *backend, const char *row) {
        char name[HAPROXY_NAME_MAX] = "";
        unsigned admin = 0;
        if (sscanf(row, "%*s %*s %*s %127s %*s %*s %u", name, &admin) != 2 || !(admin & ADMIN_DRAINED))
                return;
        for (unsigned i = 0; i < backend->count; i++)
                if (strcmp(backend->servers[i].name, name) == 0 && backend->servers[i].state == HAPROXY_DOWN)
                        backend->servers[i].state = HAPROXY_DRAIN;
}

void haproxy_backend_note_drained(HaproxyBackend *backend, const char *text) {
        static const char header[] = "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state ";
        const char *row = strstr(text, header);
        for (row = row ? strchr(row, '\n') : NULL; row && row[1] && row[1] != '\n'; row = strchr(row + 1, '\n'))
                note_drained(backend, row + 1);
}

HaproxyMap haproxy_map_parse(const char *text, const char *key, int64_t *ret_value) {
        size_t key_size = strlen(key);
        if (strncmp(text, "Unknown map", strlen("Unknown map")) == 0)
                return HAPROXY_MAP_UNKNOWN;
        /* "0x55f1d4d24e30 key value" */
        for (const char *row = text; row && *row && *row != '\n'; row = strchr(row, '\n'), row = row ? row + 1 : NULL) {
                const char *name = row + strcspn(row, " \n");
                if (*name++ != ' ' || strncmp(name, key, key_size) != 0 || name[key_size] != ' ')
                        continue;
                char *end;
                errno = 0;
                long long value = strtoll(name + key_size + 1, &end, 10);
                *ret_value = errno == 0 && (*end == '\n' || *end == '\0') ? value : 0;
                return HAPROXY_MAP_VALUE;
        }
        return HAPROXY_MAP_NO_KEY;
}

int haproxy_info_number(const char *text, const char *name, int64_t *ret_value) {
        size_t size = strlen(name);
        for (const char *row = text; row; row = strchr(row, '\n'), row = row ? row + 1 : NULL) {
                if (strncmp(row, name, size) != 0 || row[size] != ':')
                        continue;
                char *end;
                errno = 0;
                long long value = strtoll(row + size + 1, &end, 10);
                if (errno != 0 || end == row + size + 1 || value < 0)
                        return -EBADMSG;
                *ret_value = value;
                return 0;
        }
        return -ENOENT;
}
