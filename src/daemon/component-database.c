/* The database: does its server answer, and how far are its replicas behind? Both asked at once, at each check. A server that doesn't
 * answer is a failed check; a replica that is missing, paused, stale or late makes it degraded at once, and so does damage that the
 * newest consistency check has found. A server that answers but won't tell (no right, a wrong password) isn't measured. */
#include "core/words.h"
#include "daemon/component.h"

#include <errno.h>

#define SCORE_ANSWERS 50 /* without one sound replica; each that is sound adds its share of the rest */

typedef struct DatabaseCheck {
        const ComponentContext *context;
        Op *op;
        bool known; /* of the newest question: else it failed, or there was none */
        ReplicationState state;
        ReplicationView view;
        char damage[DETAIL_MAX];
} DatabaseCheck;

static int open_database(const ComponentContext *context, void **ret_self, Error *error) {
        DatabaseCheck *check = calloc(1, sizeof *check);
        if (!check)
                return error_set(error, -ENOMEM, "out of memory");
        check->context = context;
        *ret_self = check;
        return 0;
}

static void close_database(void *self) {
        DatabaseCheck *check = self;
        if (check)
                op_cancel(check->op);
        free(check);
}

static HealthState judge(const DatabaseCheck *check) {
        if (check->damage[0] || check->view.healthy == KNOWN_FALSE)
                return HEALTH_DEGRADED;
        return check->view.healthy == KNOWN_TRUE ? HEALTH_HEALTHY : HEALTH_UNKNOWN;
}

static void tell(const DatabaseCheck *check) {
        const ReplicationView *view = &check->view;
        unsigned share = view->count ? view->sound * (100 - SCORE_ANSWERS) / view->count : 100 - SCORE_ANSWERS;
        ComponentFinding finding = {.state = judge(check), .score = SCORE_ANSWERS + share};
        if (check->damage[0] || !check->state.primary)
                finding.score = SCORE_ANSWERS;
        words_append(finding.reason, sizeof finding.reason, "%s%sit answers; %s", check->damage,
                     check->damage[0] ? "; " : "", view->words);
        check->context->found(check->context->userdata, &finding);
}

/* It answers, and won't let us look: that says nothing of how it is. */
static bool is_about_us(const Error *error) {
        return error->code == -EACCES || error->code == -EPERM || error->code == -EINVAL;
}

static void cannot_tell(DatabaseCheck *check, const Error *error) {
        ComponentFinding finding = {.state = is_about_us(error) ? HEALTH_UNKNOWN : HEALTH_UNHEALTHY};
        check->known = false;
        words_append(finding.reason, sizeof finding.reason, "%s", error_text(error));
        check->context->found(check->context->userdata, &finding);
}

static void on_answer(void *userdata, const OpResult *result) {
        DatabaseCheck *check = userdata;
        check->op = NULL;
        if (result->status != OP_DONE) {
                cannot_tell(check, &result->error);
                return;
        }
        check->state = result->replication;
        check->known = true;
        replication_judge(&check->state, check->context->world->config->data_lag_us, &check->view);
        tell(check);
}

static void check_database(void *self) {
        DatabaseCheck *check = self;
        const World *world = check->context->world;
        Error error = {0};
        if (!world->data) {
                const ComponentFinding finding = {.not_configured = true, .reason = "data.driver is none"};
                check->context->found(check->context->userdata, &finding);
                return;
        }
        if (world->config->data_driver->replication(world->data, settings_int(check->context->settings, "timeout"),
                                                    on_answer, check, &check->op, &error) < 0)
                cannot_tell(check, &error);
}

const ComponentKind component_database = {
        .name = "database", .open = open_database, .close = close_database, .check = check_database};

const ReplicationState *component_database_state(const void *self) {
        const DatabaseCheck *check = self;
        return check && check->known ? &check->state : NULL;
}

const ReplicationView *component_database_view(const void *self) {
        const DatabaseCheck *check = self;
        return check && check->known ? &check->view : NULL;
}

void component_database_damage(void *self, const char *words) {
        DatabaseCheck *check = self;
        check->damage[0] = '\0';
        if (words)
                words_append(check->damage, sizeof check->damage, "%s", words);
}
