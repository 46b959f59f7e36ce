/* process_run(): a hook as an Op. */
#include "base/macros.h"
#include "io/process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define GRACE_MAX_US (500 * USEC_PER_MSEC)

typedef struct ProcessRun {
        Op op;
        Process *process;
        sd_event_source *terminate; /* SIGTERM, a grace before the deadline's SIGKILL */
        bool terminated;
        char what[DETAIL_MAX]; /* the command's name, for the time-out's message */
} ProcessRun;

static void run_destroy(Op *op) {
        ProcessRun *run = (ProcessRun *)op;
        run->process = process_free(run->process);
        run->terminate = sd_event_source_disable_unref(run->terminate);
        op_finish_base(op);
        free(run);
}

/* The last line with something on it, without control characters; "" when there is none. */
static void last_line(const char *output, char *buffer, size_t size) {
        size_t end = strlen(output);
        while (end > 0 && (unsigned char)output[end - 1] <= ' ')
                end--;
        size_t start = end;
        while (start > 0 && output[start - 1] != '\n')
                start--;
        size_t used = 0;
        for (size_t i = start; i < end && used + 1 < size; i++)
                buffer[used++] = (char)((unsigned char)output[i] < ' ' || output[i] == 0x7f ? ' ' : output[i]);
        buffer[used] = '\0';
}

static void on_ended(void *userdata, Process *process, const ProcessExit *exit) {
        ProcessRun *run = userdata;
        OpResult result = {.status = OP_DONE};
        char line[DETAIL_MAX], how[96];
        last_line(process_output(process), line, sizeof line);
        if (run->terminated) {
                result.status = OP_TIMED_OUT;
                error_set(&result.error, -ETIMEDOUT,
                          "%s did not end within its budget of %lld ms and was terminated%s%s", run->what,
                          (long long)(run->op.budget_us / USEC_PER_MSEC), *line ? ": " : "", line);
        } else if (!exit->known || exit->signal || exit->code != 0) {
                result.status = OP_FAILED;
                error_set(&result.error, -EIO, "%s %s%s%s", run->what, process_exit_format(exit, how, sizeof how),
                          *line ? ": " : "", line);
        } else
                memcpy(result.detail, line, sizeof line);
        op_complete(&run->op, &result);
}

static int on_terminate(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        ProcessRun *run = userdata;
        run->terminated = true;
        process_kill(run->process, SIGTERM);
        return 0;
}

static int arm_terminate(ProcessRun *run, sd_event *event, int64_t budget_us) {
        int64_t grace = budget_us / 10 < GRACE_MAX_US ? budget_us / 10 : GRACE_MAX_US;
        return sd_event_add_time_relative(event, &run->terminate, CLOCK_BOOTTIME, (uint64_t)(budget_us - grace), 1000,
                                          on_terminate, run);
}

int process_run(sd_event *event, const char *const *argv, const char *const *env, int64_t budget_us,
                OpCallback callback, void *userdata, Op **ret_op, Error *error) {
        ProcessRun *run = calloc(1, sizeof *run);
        if (!run)
                return error_set(error, -ENOMEM, "cannot run a command: out of memory");
        snprintf(run->what, sizeof run->what, "%s", argv && argv[0] ? argv[0] : "command");
        int r = op_begin(&run->op, event, run->what, budget_us, callback, userdata, run_destroy);
        if (r == 0)
                r = arm_terminate(run, event, budget_us);
        if (r < 0) {
                run_destroy(&run->op);
                return error_set(error, r, "cannot run %s: %s", argv && argv[0] ? argv[0] : "command", strerror(-r));
        }
        const ProcessSpec spec = {.argv = argv, .env = env, .output_fd = -1};
        r = process_start(event, &spec, on_ended, run, &run->process, error);
        if (r < 0) {
                run_destroy(&run->op);
                return r;
        }
        *ret_op = &run->op;
        return 0;
}
