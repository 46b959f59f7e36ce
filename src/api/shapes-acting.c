/* Acting, who is told of it, and who acted. */
#include "api/shapes-tables.h"

static const ShapeMember hook[] = {
        {"name", "text", NULL},
        {"ok", "boolean", NULL},
        {"duration_ms", "number", NULL},
        {"detail", "text", "the last line it wrote, or how it failed"},
        END,
};

static const ShapeMember cache_clear[] = {
        {"cleared", "boolean", "every command succeeded"},
        {"hooks", "[]#hook", "in their order"},
        END,
};

static const ShapeMember receiver[] = {
        {"name", "text", NULL},
        {"form", "=alertmanager|notify|webhook|otlp", "what it is told in"},
        {"address", "text", "without user, password and query"},
        {"state", "=delivering|failing|gone|unused",
         "gone: it wants nothing any more; unused: it was told nothing yet"},
        {"waiting", "integer?", "messages that it has not got yet; null: the journal can't tell"},
        {"oldest", "time?", "when the oldest of them was made"},
        {"delivered_at", "time?", "when it last took one"},
        {"failing_since", "time?", NULL},
        {"error", "text?", "what it last said, when that was no yes, or why it could not be asked"},
        {"delivered", "integer", "messages, since the controller began"},
        {"failed", "integer", "tries, since the controller began"},
        {"dropped", "integer", "messages that were given up, since the controller began"},
        END,
};

static const ShapeMember receivers[] = {{"receivers", "[]#receiver", "in the configuration's order"}, END};

static const ShapeMember receiver_test[] = {
        {"name", "text", NULL},
        {"delivered", "boolean", NULL},
        {"detail", "text", "the answer's status, or why there was none"},
        END,
};

static const ShapeMember audit_entry[] = {
        {"id", "integer", NULL},
        {"at", "time", NULL},
        {"who", "text", "root (uid 0), token deploy-bot, anonymous, controller"},
        {"uid", "integer?", "null: not known, as of a token's bearer"},
        {"whence", "text", "unix socket, 127.0.0.1:51234, healing"},
        {"method", "text", "of the request; heal: the controller did it by itself"},
        {"path", "text", "heal: the component"},
        {"arguments", "any", "null: it didn't come so far"},
        {"status", "integer", "of the HTTP answer; 202: what takes time is begun, its end follows"},
        {"outcome", "text", "200, begun, or the problem's title"},
        END,
};

static const ShapeMember audit[] = {{"entries", "[]#audit_entry", "newest first"}, END};

static const ShapeMember session[] = {
        {"who", "text", NULL},
        {"may_read", "boolean", NULL},
        {"may_act", "boolean", NULL},
        {"expires", "time?", NULL},
        END,
};

const Shape acting_shapes[] = {
        OBJECT(cache_clear, "What clearing the caches came to"),
        OBJECT(hook, "One command that was run"),
        OBJECT(receivers, "Who is told"),
        OBJECT(receiver, "One who is told"),
        OBJECT(receiver_test, "What became of a test message"),
        OBJECT(audit, "Who asked for what"),
        OBJECT(audit_entry, "One request to act"),
        OBJECT(session, "A browser's session"),
        {0},
};
