/* What is asked of the database: there is no adapter for one yet, and that is what is said. */
#include "base/exit-codes.h"
#include "daemon/operations.h"

static int no_adapter(Problem *problem, const char *what) {
        return problem_set(problem, 501, EXIT_UNAVAILABLE, "No data adapter",
                           "no data adapter is configured: %s is not known to this controller", what);
}

int op_database_replication(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                            Problem *problem) {
        (void)self;
        (void)arguments;
        (void)caller;
        (void)ret_answer;
        return no_adapter(problem, "how far the database's replicas are behind");
}

int op_consistency_check(void *self, const json_t *arguments, const Caller *caller, ApiReply *reply, Problem *problem) {
        (void)self;
        (void)arguments;
        (void)caller;
        (void)reply;
        return no_adapter(problem, "whether the data is consistent");
}
