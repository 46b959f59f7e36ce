/* Moving the leadership: the leader is asked to, and it is done when the target says itself that it leads. Asked of a target that
 * leads already it is done at once. */
#include "adapters/etcd-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define LOOK_GAP_US (20 * USEC_PER_MSEC)

typedef struct Move {
        Op op;
        Etcd *etcd;
        uint64_t to;
        int64_t budget_us;
        char from_url[ETCD_URL_SIZE], to_url[ETCD_URL_SIZE]; /* kept: the list may change meanwhile */
        bool asked;                                          /* the leader has agreed */
        HttpCall *call;
        sd_event_source *again;
} Move;

static void move_destroy(Op *op) {
        Move *move = (Move *)op;
        http_cancel(move->call);
        sd_event_source_disable_unref(move->again);
        op_finish_base(op);
        free(move);
}

static void look_at_target(Move *move);

static int on_again(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        Move *move = userdata;
        move->again = sd_event_source_disable_unref(move->again);
        look_at_target(move);
        return 0;
}

static void look_again(Move *move) {
        Error error = {0};
        int r = sd_event_add_time_relative(move->op.event, &move->again, CLOCK_BOOTTIME, LOOK_GAP_US, 1000, on_again,
                                           move);
        if (r < 0) {
                error_set(&error, r, "etcd: cannot wait for the new leader: %s", strerror(-r));
                op_fail(&move->op, &error);
        }
}

static void on_moved(void *userdata, const HttpAnswer *answer) {
        Move *move = userdata;
        Error error = {0};
        move->call = NULL;
        if (etcd_check_answer(answer, &error) < 0) {
                error_prefix(&error, "the leader didn't give the leadership up");
                op_fail(&move->op, &error);
                return;
        }
        move->asked = true;
        look_at_target(move);
}

static void ask_leader(Move *move) {
        char body[48];
        Error error = {0};
        snprintf(body, sizeof body, "{\"targetID\":\"%" PRIu64 "\"}", move->to);
        const EtcdQuestion question = {
                .base = move->from_url, .path = "/v3/maintenance/transfer-leadership", .body = body, .once = true};
        if (etcd_ask(move->etcd, &question, move->budget_us, on_moved, move, &move->call, &error) < 0)
                op_fail(&move->op, &error);
}

static void on_status(void *userdata, const HttpAnswer *answer) {
        Move *move = userdata;
        EtcdStatus status;
        Error error = {0};
        move->call = NULL;
        int r = etcd_check_answer(answer, &error);
        if (r == 0)
                r = etcd_parse_status(answer->body, answer->size, &status, &error);
        if (r == 0 && status.member == move->to && status.leader == move->to)
                op_succeed(&move->op, move->asked ? "" : "it leads already");
        else if (move->asked)
                look_again(move);
        else if (r < 0) {
                error_prefix(&error, "the member that should lead");
                op_fail(&move->op, &error);
        } else
                ask_leader(move);
}

static void look_at_target(Move *move) {
        Error error = {0};
        const EtcdQuestion question = {.base = move->to_url, .path = ETCD_PATH_STATUS};
        if (etcd_ask(move->etcd, &question, move->budget_us, on_status, move, &move->call, &error) < 0)
                op_fail(&move->op, &error);
}

static int find_url(const Etcd *etcd, uint64_t id, char url[static ETCD_URL_SIZE], Error *error) {
        for (unsigned i = 0; i < etcd->members.count; i++)
                if (etcd->members.members[i].id == id && etcd_client_url(etcd, i)[0] != '\0') {
                        snprintf(url, ETCD_URL_SIZE, "%s", etcd_client_url(etcd, i));
                        return 0;
                }
        return error_set(error, -ENOENT, "etcd: there is no member %" PRIx64 " that could be asked", id);
}

int etcd_move_leader(void *self, uint64_t from, uint64_t to, int64_t budget_us, OpCallback callback, void *userdata,
                     Op **ret_op, Error *error) {
        Etcd *etcd = self;
        Move *move = calloc(1, sizeof *move);
        if (!move)
                return error_set(error, -ENOMEM, "etcd: out of memory");
        *move = (Move){.etcd = etcd, .to = to, .budget_us = budget_us};
        int r = find_url(etcd, from, move->from_url, error);
        if (r == 0)
                r = find_url(etcd, to, move->to_url, error);
        if (r < 0) {
                free(move);
                return r;
        }
        r = op_begin(&move->op, etcd->context.event, "etcd: moving the leadership", budget_us, callback, userdata,
                     move_destroy);
        if (r >= 0)
                r = sd_event_add_time_relative(etcd->context.event, &move->again, CLOCK_BOOTTIME, 0, 1000, on_again,
                                               move);
        if (r < 0) {
                op_cancel(&move->op);
                return error_set(error, r, "etcd: cannot begin to move the leadership: %s", strerror(-r));
        }
        *ret_op = &move->op;
        return 0;
}
