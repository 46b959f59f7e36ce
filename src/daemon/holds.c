#include "daemon/holds.h"

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
        char text[INITIATOR_MAX + 2 * REASON_MAX];
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
        ret_hold->since_wall = json_integer_value(json_object_get(object, "since_wall_us"));
        copy_text(ret_hold->by, sizeof ret_hold->by, object, "by");
        copy_text(ret_hold->why, sizeof ret_hold->why, object, "why");
        json_decref(object);
        return 0;
}

int hold_take(Journal *journal, HoldKind kind, const Hold *hold, Error *error) {
        if (!journal)
                return error_set(error, -EROFS, "the journal can't be written: who holds this is not recorded");
        json_t *object = json_pack("{s:I, s:I, s:s, s:s}", "run", (json_int_t)hold->run_id, "since_wall_us",
                                   (json_int_t)hold->since_wall, "by", hold->by, "why", hold->why);
        AUTO_FREE char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
        json_decref(object);
        if (!text)
                return error_set(error, -EINVAL, "cannot record the hold: by '%s' or its reason is not valid UTF-8",
                                 hold->by);
        return journal_set_value(journal, hold_keys[kind], text, error);
}

int hold_release(Journal *journal, HoldKind kind, Error *error) {
        if (!journal)
                return 0;
        return journal_set_value(journal, hold_keys[kind], NULL, error);
}
