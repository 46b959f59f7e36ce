/* Recorded samples, for charts. */
#include "api/wire.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "daemon/moment.h"
#include "daemon/operations.h"
#include "store/history.h"

#include <errno.h>
#include <limits.h>

#define SPAN_US (3600 * USEC_PER_SEC) /* when nothing else is asked for */
#define POINTS 400

typedef struct Points {
        json_t *list;
        const Rules *rules;
} Points;

static int add_point(void *userdata, const HistorySample *sample) {
        Points *points = userdata;
        json_t *point = wire_sample(&sample->sample, points->rules, 0);
        json_object_set_new(point, "version", wire_text_or_null(sample->version));
        return json_array_append_new(points->list, point) < 0 ? -ENOMEM : 0;
}

/* A connection of its own: reading never stands in the way of what is written. */
static int read_points(Controller *controller, int64_t from_wall, int64_t to_wall, unsigned count, json_t *list,
                       bool *ret_thinned, Error *error) {
        Points points = {.list = list, .rules = &controller->config->rules};
        const HistoryVisitor visitor = {.sample = add_point, .userdata = &points};
        History *history = NULL;
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", controller->config->state, HISTORY_FILE);
        *ret_thinned = false;
        int r = history_open_reader(path, &history, error);
        if (r == -ENOENT)
                return 0; /* nothing is recorded yet, or history.keep is 0 */
        if (r == 0)
                r = history_thin(history, from_wall, to_wall, count, &visitor, ret_thinned, error);
        history_close(history);
        return r;
}

static int read_moment(const json_t *arguments, const char *key, int64_t now, int64_t fallback, int64_t *ret,
                       Problem *problem) {
        Error error = {0};
        const char *text = text_of(arguments, key);
        *ret = fallback;
        if (!text[0] || moment_parse(text, now, ret, &error) == 0)
                return 0;
        return problem_set(problem, 400, EXIT_DATA, "Not a time", "'%s': %s", key, error_text(&error));
}

int op_metrics_history(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                       Problem *problem) {
        Controller *controller = self;
        int64_t now = clock_wall_us(), from, to, points = number_of(arguments, "points", POINTS);
        bool thinned;
        Error error = {0};
        (void)caller;
        if (read_moment(arguments, "to", now, now, &to, problem) < 0 ||
            read_moment(arguments, "from", now, to - SPAN_US, &from, problem) < 0)
                return -1;
        json_t *list = json_array();
        if (read_points(controller, from, to, (unsigned)points, list, &thinned, &error) < 0) {
                json_decref(list);
                return problem_set(problem, 503, EXIT_IO, "History unreadable", "%s", error_text(&error));
        }
        return answer(json_pack("{s:o, s:o, s:b, s:o}", "from", wire_time(from), "to", wire_time(to), "thinned",
                                (int)thinned, "samples", list),
                      ret_answer, problem);
}
