/* TrafficDriver "hook": the operator's own commands, for every balancer we have no driver for. Exit status 0 means done; the last
 * line a command prints is shown to people, and of `status` it is the answer: "flowing", "drained" or "drained 3" (3 in flight).
 * {timeout} in an argument becomes the seconds the command has. */
#include "adapters/adapter.h"
#include "base/fsio.h"
#include "io/process.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define PLACEHOLDER "{timeout}"
#define ARGUMENTS_MAX 64

typedef struct Hook {
        sd_event *event; /* borrowed */
        const char *const *drain, *const *restore, *const *status;
} Hook;

static const SettingSpec hook_settings[] = {
        {"drain", SETTING_LIST, NULL, 0, 0, NULL,
         "the command that lets no new request through and waits until none is in flight"},
        {"restore", SETTING_LIST, NULL, 0, 0, NULL, "the command that lets requests through again"},
        {"status", SETTING_LIST, NULL, 0, 0, NULL,
         "the command that prints flowing, drained, or drained and the number in flight"},
        {0},
};

/* Every argument that names a file may be a script that an interpreter runs. */
static int check_command(const char *key, const char *const *argv, Error *error) {
        unsigned count = 0;
        while (argv[count])
                count++;
        if (count == 0 || count > ARGUMENTS_MAX)
                return error_set(error, -EINVAL, "traffic.hook.%s: a command has 1 to %d words", key, ARGUMENTS_MAX);
        if (geteuid() != 0)
                return 0;
        if (argv[0][0] != '/')
                return error_set(error, -EINVAL,
                                 "traffic.hook.%s: \"%s\" must be an absolute path, because it runs as root", key,
                                 argv[0]);
        for (unsigned i = 0; i < count; i++) {
                struct stat file;
                if (argv[i][0] != '/' || (i > 0 && (stat(argv[i], &file) < 0 || !S_ISREG(file.st_mode))))
                        continue;
                int r = fs_check_trusted(argv[i], error);
                if (r < 0) {
                        error_prefix(error, "traffic.hook.%s", key);
                        return r;
                }
        }
        return 0;
}

static void hook_close(void *self) {
        free(self);
}

static int hook_open(const DriverContext *context, const Settings *settings, void **ret_self, Error *error) {
        Hook hook = {
                .event = context->event,
                .drain = settings_list(settings, "drain"),
                .restore = settings_list(settings, "restore"),
                .status = settings_list(settings, "status"),
        };
        int r = check_command("drain", hook.drain, error);
        if (r == 0)
                r = check_command("restore", hook.restore, error);
        if (r == 0)
                r = check_command("status", hook.status, error);
        if (r < 0)
                return r;
        Hook *self = malloc(sizeof *self);
        if (!self)
                return error_set(error, -ENOMEM, "hook: out of memory");
        *self = hook;
        *ret_self = self;
        return 0;
}

/* ---- commands ---- */

static char *with_timeout(const char *argument, int64_t seconds) {
        const char *at = strstr(argument, PLACEHOLDER);
        char *text = NULL;
        if (!at)
                return strdup(argument);
        int length =
                asprintf(&text, "%.*s%" PRId64 "%s", (int)(at - argument), argument, seconds, at + strlen(PLACEHOLDER));
        return length < 0 ? NULL : text;
}

static int run(const Hook *hook, const char *const *command, int64_t budget_us, OpCallback callback, void *userdata,
               Op **ret_op, Error *error) {
        char *argv[ARGUMENTS_MAX + 1] = {0};
        int64_t seconds = budget_us < USEC_PER_SEC ? 1 : budget_us / USEC_PER_SEC;
        int r = 0;
        for (unsigned i = 0; command[i] && r == 0; i++) {
                argv[i] = with_timeout(command[i], seconds);
                if (!argv[i])
                        r = error_set(error, -ENOMEM, "%s: out of memory", command[0]);
        }
        if (r == 0)
                r = process_run(hook->event, (const char *const *)argv, NULL, budget_us, callback, userdata, ret_op,
                                error);
        for (unsigned i = 0; i < ARGUMENTS_MAX && argv[i]; i++)
                free(argv[i]);
        return r;
}

static int hook_drain(void *self, int64_t park_cut_us, int64_t budget_us, OpCallback callback, void *userdata,
                      Op **ret_op, Error *error) {
        (void)park_cut_us; /* how requests wait is the command's own affair */
        Hook *hook = self;
        return run(hook, hook->drain, budget_us, callback, userdata, ret_op, error);
}

static int hook_restore(void *self, bool everything, int64_t budget_us, OpCallback callback, void *userdata,
                        Op **ret_op, Error *error) {
        (void)everything; /* what is out is the command's own affair, too */
        Hook *hook = self;
        return run(hook, hook->restore, budget_us, callback, userdata, ret_op, error);
}

/* ---- query ---- */

typedef struct HookQuery {
        Op op;
        const Hook *hook;
        Op *command;
} HookQuery;

static void query_destroy(Op *op) {
        HookQuery *query = (HookQuery *)op;
        op_cancel(query->command);
        op_finish_base(op);
        free(query);
}

static bool parse_status(const char *text, TrafficState *ret_state) {
        *ret_state = (TrafficState){.in_flight = -1, .parked = -1, .limit = -1, .park_max_us = -1};
        snprintf(ret_state->detail, sizeof ret_state->detail, "%s", text);
        if (strcmp(text, "flowing") == 0)
                return true;
        ret_state->drained = true;
        if (strcmp(text, "drained") == 0)
                return true;
        int end = 0;
        return sscanf(text, "drained %9" SCNd64 "%n", &ret_state->in_flight, &end) == 1 && text[end] == '\0' &&
               ret_state->in_flight >= 0;
}

static void on_status(void *userdata, const OpResult *told) {
        HookQuery *query = userdata;
        OpResult result = {.status = told->status, .error = told->error};
        query->command = NULL;
        if (told->status == OP_DONE && !parse_status(told->detail, &result.traffic)) {
                result = (OpResult){.status = OP_FAILED};
                error_set(&result.error, -EBADMSG,
                          "%s: must print \"flowing\", \"drained\" or \"drained N\" as its last line, not \"%.80s\"",
                          query->hook->status[0], told->detail);
        }
        op_complete(&query->op, &result);
}

static int hook_query(void *self, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op, Error *error) {
        Hook *hook = self;
        HookQuery *query = calloc(1, sizeof *query);
        if (!query)
                return error_set(error, -ENOMEM, "hook: out of memory");
        query->hook = hook;
        int r = op_begin(&query->op, hook->event, "traffic status command", budget_us, callback, userdata,
                         query_destroy);
        if (r < 0)
                error_set(error, r, "%s: cannot begin: %s", hook->status[0], strerror(-r));
        else /* a little less than our own budget, so that it is the command's time-out that is told */
                r = run(hook, hook->status, budget_us - budget_us / 20, on_status, query, &query->command, error);
        if (r < 0) {
                op_cancel(&query->op);
                return r;
        }
        *ret_op = &query->op;
        return 0;
}

const TrafficDriver hook_traffic_driver = {
        .name = "hook",
        .settings = hook_settings,
        .open = hook_open,
        .close = hook_close,
        .drain = hook_drain,
        .restore = hook_restore,
        .query = hook_query,
};
