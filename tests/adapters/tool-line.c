#include "tool-line.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#define LINE_MAX_BYTES 65536
#define LIST_MAX 64

int tool_set(Settings *settings, const SettingSpec *specs, char *argument, Error *error) {
        char *value = strchr(argument, '='), *name = strchr(argument, '.');
        if (!value)
                return error_set(error, -EINVAL, "%s: not KEY=VALUE", argument);
        *value++ = '\0';
        if (name && name < value) {
                const char *const entry[] = {value, NULL};
                *name++ = '\0';
                return settings_add_entry(settings, argument, name, entry, error);
        }
        const SettingSpec *spec = settings_spec(specs, argument);
        if (!spec || spec->type != SETTING_LIST)
                return settings_set(settings, argument, value, error);
        const char *items[LIST_MAX] = {0};
        unsigned count = 0;
        for (char *item = strtok(value, ","); item && count < LIST_MAX - 1; item = strtok(NULL, ","))
                items[count++] = item;
        return settings_set_list(settings, argument, items, error);
}

/* ---- commands ---- */

typedef struct Input {
        void (*act)(const char *line);
        char buffer[LINE_MAX_BYTES];
        size_t used;
} Input;

static int on_input(sd_event_source *source, int fd, UNUSED uint32_t events, void *userdata) {
        Input *input = userdata;
        ssize_t n = read(fd, input->buffer + input->used, sizeof input->buffer - 1 - input->used);
        if (n <= 0)
                return sd_event_exit(sd_event_source_get_event(source), 0);
        input->used += (size_t)n;
        input->buffer[input->used] = '\0';
        for (char *end; (end = strchr(input->buffer, '\n'));) {
                *end = '\0';
                input->act(input->buffer);
                input->used -= (size_t)(end + 1 - input->buffer);
                memmove(input->buffer, end + 1, input->used + 1);
        }
        return 0;
}

int tool_serve(sd_event *event, void (*act)(const char *line)) {
        static Input input;
        input.act = act;
        int r = sd_event_add_io(event, NULL, STDIN_FILENO, EPOLLIN, on_input, &input);
        return r < 0 ? r : sd_event_loop(event);
}

/* ---- answers ---- */

void tool_tell(json_t *answer) {
        json_dumpf(answer, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        json_decref(answer);
}

json_t *tool_open(void) {
        return json_pack("{ss}", "status", "open");
}

json_t *tool_refused(const Error *error) {
        return json_pack("{ssss}", "status", "refused", "error", error_text(error));
}

json_t *tool_result(const OpResult *result) {
        static const char *const statuses[] = {"done", "failed", "timed_out"};
        return json_pack("{ss ss ss}", "status", statuses[result->status], "error",
                         result->status == OP_DONE ? "" : error_text(&result->error), "detail", result->detail);
}
