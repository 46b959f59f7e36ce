#include "daemon/holds.h"

#include "api/wire.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

static const char *const hold_keys[] = {
        [HOLD_DEPLOYMENTS] = "hold.deployments",
        [HOLD_TRAFFIC] = "hold.traffic",
};

static void copy_text(char *to, size_t size, const json_t *object, const char *key) {
        const char *text = json_string_value(json_object_get(object, key));
        snprintf(to, size, "%s", text ? text : "");
}

int hold_read(Journal *journal, HoldKind kind, Hold *ret_hold, Error *error) {
        *ret_hold = (Hold){0};
        if (!journal)
                return 0;
        char text[JOURNAL_VALUE_MAX];
        int r = journal_get_value(journal, hold_keys[kind], text, sizeof text, error);
        if (r <= 0)
                return r;
        json_t *object = json_loads(text, 0, NULL);
        if (!json_is_object(object)) {
                json_decref(object);
                return error_set(error, -EBADMSG, "journal: the value '%s' is not what was written there: %s",
                                 hold_keys[kind], text);
        }
        ret_hold->held = true;
        ret_hold->run_id = json_integer_value(json_object_get(object, "run"));
        ret_hold->at_balancer = json_is_true(json_object_get(object, "at_balancer"));
        ret_hold->restoring = json_is_true(json_object_get(object, "restoring"));
        ret_hold->since_wall = json_integer_value(json_object_get(object, "since_wall_us"));
        copy_text(ret_hold->by, sizeof ret_hold->by, object, "by");
        copy_text(ret_hold->why, sizeof ret_hold->why, object, "why");
        json_decref(object);
        return 0;
}

/* NULL: out of memory. */
static char *print_hold(const Hold *hold, const char *why) {
        json_t *object = json_pack("{s:I, s:b, s:b, s:I, s:o, s:o}", "run", (json_int_t)hold->run_id, "at_balancer",
                                   (int)hold->at_balancer, "restoring", (int)hold->restoring, "since_wall_us",
                                   (json_int_t)hold->since_wall, "by", wire_text(hold->by), "why", wire_text(why));
        char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
        json_decref(object);
        return text;
}

int hold_take(Journal *journal, HoldKind kind, const Hold *hold, Error *error) {
        if (!journal)
                return error_set(error, -EROFS, "the journal can't be written: who holds this is not recorded");
        AUTO_FREE char *text = print_hold(hold, hold->why);
        if (text && strlen(text) >= JOURNAL_VALUE_MAX) { /* escaped, a reason may be six times as long */
                free(text);
                text = print_hold(hold, "(too long to be kept here)");
        }
        if (!text)
                return error_set(error, -ENOMEM, "cannot record the hold: out of memory");
        return journal_set_value(journal, hold_keys[kind], text, error);
}

int hold_release(Journal *journal, HoldKind kind, Error *error) {
        if (!journal)
                return 0;
        return journal_set_value(journal, hold_keys[kind], NULL, error);
}
