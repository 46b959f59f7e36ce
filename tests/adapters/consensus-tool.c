/* Drives a consensus driver from a pipe, and judges what it finds as the controller does, so that a script can put it before a
 * real cluster:
 *   consensus-tool DRIVER PATIENCE_MS KEY=VALUE...      (a list: KEY=a,b)
 * then one command a line on stdin, one line of JSON as the answer on stdout:
 *   look MEMBER_MS | move FROM TO BUDGET_MS (ids) | successor */
#include "adapters/adapter.h"
#include "core/consensus.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "tool-line.h"

static sd_event *event;
static const ConsensusDriver *consensus;
static void *driver;
static int64_t patience_us, begun_us;
static Op *op;
static ConsensusHistory history;
static ConsensusView view;
static ConsensusState state;

static int64_t now_us(void) {
        uint64_t now = 0;
        (void)sd_event_now(event, CLOCK_BOOTTIME, &now);
        return (int64_t)now;
}

static void tell(json_t *answer) {
        json_object_set_new(answer, "ms", json_real((double)(now_us() - begun_us) / 1000));
        tool_tell(answer);
}

static json_t *member_json(const ConsensusMember *member, bool byzantine) {
        char id[24], leader[24];
        snprintf(id, sizeof id, "%" PRIu64, member->id);
        snprintf(leader, sizeof leader, "%" PRIu64, member->leader);
        return json_pack("{ss ss ss ss sb sb sb sI sI sI sI sI sI sI sI sb ss}", "name", member->name, "address",
                         member->address, "id", id, "leader", leader, "learner", member->learner, "reachable",
                         member->reachable, "hashed", member->hashed, "term", (json_int_t)member->term, "applied",
                         (json_int_t)member->applied, "revision", (json_int_t)member->revision, "hash",
                         (json_int_t)member->hash, "compact_revision", (json_int_t)member->compact_revision, "lag_us",
                         (json_int_t)member->lag_us, "lag_least_us", (json_int_t)member->lag_least_us, "behind",
                         (json_int_t)member->behind, "byzantine", byzantine, "detail", member->detail);
}

static void on_look(void *userdata, const OpResult *result) {
        static const char *const tristate[] = {"unknown", "lost", "held"};
        (void)userdata;
        op = NULL;
        json_t *answer = tool_result(result), *members = json_array();
        if (result->status != OP_DONE) {
                json_decref(members);
                tell(answer);
                return;
        }
        state = result->consensus;
        consensus_judge(&history, &state, patience_us, &view);
        for (unsigned i = 0; i < state.count; i++)
                json_array_append_new(members, member_json(&state.members[i], view.is_byzantine[i]));
        const ConsensusMember *leader = consensus_find(&state, view.leader);
        json_object_update_new(answer,
                               json_pack("{so ss ss? sI si si sI ss}", "members", members, "quorum",
                                         tristate[view.quorum], "leader", leader ? leader->name : NULL, "term",
                                         (json_int_t)view.term, "reachable", (int)view.reachable, "byzantine",
                                         (int)view.byzantine, "lag_us", (json_int_t)view.lag_us, "words", view.words));
        tell(answer);
}

static void on_moved(void *userdata, const OpResult *result) {
        (void)userdata;
        op = NULL;
        tell(tool_result(result));
}

static void act(const char *line) {
        char verb[16] = "", words[DETAIL_MAX];
        unsigned long long a = 1000, b = 0;
        long long budget = 5000;
        Error error = {0};
        int r = -EINVAL;
        begun_us = now_us();
        sscanf(line, "%15s %llu %llu %lld", verb, &a, &b, &budget);
        int64_t member_us = (int64_t)a * USEC_PER_MSEC;
        if (strcmp(verb, "look") == 0)
                r = consensus->query(driver, member_us, CONSENSUS_QUESTIONS * member_us + USEC_PER_SEC, on_look, NULL,
                                     &op, &error);
        else if (strcmp(verb, "move") == 0)
                r = consensus->move_leader(driver, a, b, budget * USEC_PER_MSEC, on_moved, NULL, &op, &error);
        else if (strcmp(verb, "successor") == 0) {
                const ConsensusMember *successor = consensus_successor(&state, &view, words, sizeof words);
                tell(json_pack("{ss? ss}", "name", successor ? successor->name : NULL, "words", words));
                return;
        }
        if (r < 0)
                tell(tool_refused(&error));
}

int main(int argc, char **argv) {
        if (argc < 3)
                return 64;
        Error error = {0};
        Settings *settings = NULL;
        HttpClient *http = NULL;
        consensus = consensus_driver_find(argv[1]);
        patience_us = atoll(argv[2]) * USEC_PER_MSEC;
        int r = consensus ? settings_new(consensus->settings, &settings, &error)
                          : error_set(&error, -EINVAL, "no such driver");
        for (int i = 3; i < argc && r >= 0; i++)
                r = tool_set(settings, consensus->settings, argv[i], &error);
        if (r >= 0)
                r = sd_event_new(&event);
        if (r >= 0)
                r = http_client_new(event, &http, &error);
        const DriverContext context = {.event = event, .http = http};
        if (r >= 0)
                r = consensus->open(&context, settings, &driver, &error);
        tell(r < 0 ? tool_refused(&error) : tool_open());
        if (r >= 0)
                r = tool_serve(event, act);
        op_cancel(op);
        if (driver)
                consensus->close(driver);
        http_client_free(http);
        settings_free(settings);
        sd_event_unref(event);
        return r < 0;
}
