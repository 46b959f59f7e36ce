#include "daemon/outbox-send.h"

#include "base/clock.h"
#include "base/fsio.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define HEADERS_MAX 16
#define HEADER_SIZE 512
#define ADDRESS_MAX 2048
#define ANSWER_BYTES_MAX ((size_t)16 * 1024) /* nobody has that much to say about having heard it */

struct Sending {
        const AlertDriver *driver;
        HttpCall *call;
        SentCallback callback;
        void *userdata;
};

/* ---- secrets ---- */

int secret_read(const char *path, char *ret_secret, size_t size, Error *error) {
        struct stat file;
        AUTO_FREE char *text = NULL;
        ret_secret[0] = '\0';
        if (path[0] == '\0')
                return 0;
        if (stat(path, &file) < 0)
                return error_set(error, -errno, "%s: %s", path, strerror(errno));
        if (file.st_mode & (S_IRWXO | S_IWGRP))
                return error_set(error, -EPERM, "%s: others may read or change it: chmod o=,g-w %s", path, path);
        int r = fs_read_file(path, size - 1, &text, NULL, error);
        if (r < 0)
                return r;
        text[strcspn(text, "\r\n")] = '\0';
        if (text[0] == '\0')
                return error_set(error, -EINVAL, "%s: its first line is empty", path);
        snprintf(ret_secret, size, "%s", text);
        explicit_bzero(text, strlen(text));
        return 0;
}

/* ---- the request ---- */

typedef struct Headers {
        unsigned count;
        const char *list[HEADERS_MAX + 1];
        char texts[HEADERS_MAX][HEADER_SIZE];
} Headers;

static int add_header(Headers *headers, const char *text, size_t length) {
        if (length == 0)
                return 0;
        if (headers->count == HEADERS_MAX || length >= HEADER_SIZE)
                return -EMSGSIZE;
        char *copy = headers->texts[headers->count];
        memcpy(copy, text, length);
        copy[length] = '\0';
        headers->list[headers->count++] = copy;
        return 0;
}

static int add_lines(Headers *headers, const char *lines) {
        int r = 0;
        while (r == 0 && *lines) {
                size_t length = strcspn(lines, "\n");
                r = add_header(headers, lines, length);
                lines += length + (lines[length] == '\n');
        }
        return r;
}

/* What only the moment of sending can make: the signature with its time, and the token as it is now. */
static int add_secrets(Headers *headers, const struct ConfigReceiver *receiver, const AlertDriver *driver,
                       const char *body, Error *error) {
        char secret[256], header[HEADER_SIZE];
        int r = secret_read(settings_string(receiver->settings, "secret_file"), secret, sizeof secret, error);
        if (r == 0 && driver->sign && driver->sign(secret, body, clock_wall_us(), header, sizeof header) > 0)
                r = add_header(headers, header, strlen(header));
        if (r == 0)
                r = secret_read(settings_string(receiver->settings, "token_file"), secret, sizeof secret, error);
        if (r == 0 && secret[0]) {
                snprintf(header, sizeof header, "Authorization: Bearer %s", secret);
                r = add_header(headers, header, strlen(header));
        }
        explicit_bzero(secret, sizeof secret);
        return r;
}

static int make_address(const struct ConfigReceiver *receiver, const char *path, char *buffer, size_t size,
                        Error *error) {
        const char *address = settings_string(receiver->settings, receiver->driver);
        size_t length = strlen(address);
        while (path[0] && length > 0 && address[length - 1] == '/')
                length--;
        int written = snprintf(buffer, size, "%.*s%s", (int)length, address, path);
        return (size_t)written < size ? 0 : error_set(error, -ENAMETOOLONG, "its address is too long");
}

/* ---- what became of it ---- */

static void on_answer(void *userdata, const HttpAnswer *answer) {
        Sending *sending = userdata;
        char detail[DETAIL_MAX];
        TellVerdict verdict = sending->driver->judge(answer, detail, sizeof detail);
        SentCallback callback = sending->callback;
        void *theirs = sending->userdata;
        free(sending);
        callback(theirs, verdict, answer->retry_after_us, detail);
}

int sending_begin(HttpClient *http, const struct ConfigReceiver *receiver, const char *path, const char *headers,
                  const char *body, int64_t budget_us, SentCallback callback, void *userdata, Sending **ret_sending,
                  Error *error) {
        const Settings *settings = receiver->settings;
        const HttpTls tls = {.ca = settings_string(settings, "ca"),
                             .certificate = settings_string(settings, "certificate"),
                             .key = settings_string(settings, "key")};
        char address[ADDRESS_MAX];
        Headers *lines = calloc(1, sizeof *lines);
        Sending *sending = calloc(1, sizeof *sending);
        int r = lines && sending ? make_address(receiver, path, address, sizeof address, error) : -ENOMEM;
        if (r == 0) {
                *sending = (Sending){
                        .driver = alert_driver_find(receiver->driver), .callback = callback, .userdata = userdata};
                r = add_lines(lines, headers);
        }
        if (r == 0)
                r = add_secrets(lines, receiver, sending->driver, body, error);
        if (r == 0) {
                const HttpRequest request = {.method = "POST",
                                             .url = address,
                                             .headers = lines->list,
                                             .body = body,
                                             .body_size = strlen(body),
                                             .tls = &tls,
                                             .answer_max = ANSWER_BYTES_MAX};
                r = http_begin(http, &request, budget_us, on_answer, sending, &sending->call, error);
        }
        if (lines)
                explicit_bzero(lines, sizeof *lines);
        free(lines);
        if (r < 0) {
                free(sending);
                return error && error->code ? r : error_set(error, r, "%s", strerror(-r));
        }
        *ret_sending = sending;
        return 0;
}

Sending *sending_cancel(Sending *sending) {
        if (sending)
                http_cancel(sending->call);
        free(sending);
        return NULL;
}
