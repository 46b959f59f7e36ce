/* What is not an answer: events, texts that are not JSON, and problems. */
#include "api/shapes-tables.h"

static const ShapeMember reset[] = {DETAIL, END};

static const ShapeMember healing[] = {
        {"component", "text", NULL},
        {"what", "text", "clearing its cache and restarting payments.service is done, in 0.4 s"},
        {"failed", "boolean", NULL},
        END,
};

static const ShapeMember events[] = {
        {"run", "#run", "it moved"},
        {"sample", "#sample", "one was taken"},
        {"decision", "#decision", NULL},
        {"alert", "#alert", "one was raised"},
        {"status", "#status", "it changed"},
        {"health", "#health", "a component or the score changed"},
        {"incident", "#incident", "one was opened or has changed"},
        {"healing", "#healing", "a component that fails is healed, and how that ended"},
        {"consistency", "#consistency", "a check of the data goes on, or has ended"},
        {"reset", "#reset", "events were missed: ask for the status again"},
        END,
};

static const ShapeMember holder[] = {
        {"pid", "integer", NULL},       {"since", "time", NULL},
        {"why", "text", NULL},          {"progress", "text+", "what it last did, as far as it has said"},
        {"run", "integer+", "its run"}, END,
};

static const ShapeMember problem[] = {
        {"type", "text", "about:blank"},
        {"title", "text", NULL},
        {"status", "integer", "the HTTP status again"},
        {"detail", "text", "what was wrong, and what to do"},
        {"instance", "text", "the request's path"},
        {"exit_code", "integer", "what the command line exits with"},
        {"holder", "#holder+", "who has the lock"},
        {"retry_after_s", "integer+", "when it may be tried again"},
        {"hint", "text+", "how to have it done all the same"},
        END,
};

const Shape event_shapes[] = {
        OBJECT(events, "The event stream: each event's name, and the shape of its data"),
        OBJECT(healing, "A component that fails is healed"),
        OBJECT(reset, "Events were missed"),
        {"exposition", "Metrics of the controller itself, OpenMetrics", NULL, "text"},
        {"report", "An incident's report, Markdown", NULL, "text"},
        {"plot", "A picture, SVG", NULL, "text"},
        {"openapi", "An OpenAPI 3.1 document", NULL, "any"},
        OBJECT(problem, "Why a request was refused (RFC 9457)"),
        OBJECT(holder, "The process that has a lock"),
        {0},
};
