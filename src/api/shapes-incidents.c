/* Incidents, and what is gathered for them. */
#include "api/shapes-tables.h"

#define INCIDENT_MEMBERS                                                                                               \
        {"id", "integer", NULL}, {"cause", "=automatic|emergency|hold|review", "what opened it"},                      \
                {"severity", "=P0|P1|P2|P3", "P0 pages"}, {"state", "=open|acknowledged|resolved", NULL},              \
                {"title", "text", NULL}, {"version", "text?", "the release that misbehaved"},                          \
                {"target", "text?", "what it was, or would be, rolled back to"},                                       \
                {"source", "text?", "of a review of the machine: cpu, memory or disk"}, {"opened", "time", NULL},      \
                {"acknowledged", "time?", NULL}, {"acknowledged_by", "text?", NULL}, {"resolved", "time?", NULL},      \
                {"resolved_by", "text?", NULL}, {"deployment", "integer?", NULL}, {"decision", "integer?", NULL},      \
                {"run", "integer?", "the newest that belongs to it"}, {"outcome", "text", "how it stands"},            \
                {"release_state", RELEASE_STATE "?", "of the release that misbehaved, now"}, {                         \
                "report", "text", "the file that its report is written to"                                             \
        }

static const ShapeMember incident[] = {INCIDENT_MEMBERS, END};

static const ShapeMember incidents[] = {
        {"incidents", "[]#incident", "newest first"},
        {"unresolved", "integer", "of all"},
        END,
};

static const ShapeMember timeline_entry[] = {
        {"at", "time", NULL},
        {"kind", "text", "opened, run, step, decision, deployment, alert, escalated, validation, acknowledged ..."},
        {"text", "text", NULL},
        END,
};

static const ShapeMember changed_file[] = {
        {"path", "text", "within the release"}, {"change", "=added|removed|changed", NULL},
        {"type", "text", "file or link"},       {"size_before", "integer?", "bytes"},
        {"size_after", "integer?", NULL},       END,
};

static const ShapeMember changed_text[] = {
        {"name", "text", "a file, or: configuration"},
        {"diff", "text", "unified; secrets are masked"},
        {"cut", "boolean", "there is more"},
        END,
};

static const ShapeMember difference[] = {
        {"before", "text", "the release that it is compared with"},
        {"after", "text", "the release that misbehaved"},
        {"added", "integer", "files"},
        {"removed", "integer", NULL},
        {"changed", "integer", NULL},
        {"files", "[]#changed_file", NULL},
        {"left_out", "integer", "files that differ, too"},
        {"texts", "[]#changed_text", "the lines of those that configure something"},
        {"notes", "[]text", "what could not be compared, and why"},
        END,
};

static const ShapeMember log_line[] = {{"at", "time?", NULL}, {"text", "text", "secrets are masked"}, END};

static const ShapeMember unit_log[] = {
        {"version", "text", NULL},
        {"units", "[]text", NULL},
        {"lines", "[]#log_line", "oldest first"},
        {"note", "text", "why there are none, or not all"},
        END,
};

static const ShapeMember incident_details[] = {
        INCIDENT_MEMBERS,
        {"timeline", "[]#timeline_entry", "oldest first"},
        {"trigger", "#decision?", "the decision, with its numbers"},
        {"run_record", "#run?", NULL},
        {"difference", "#difference?", "null: not gathered yet, or there is nothing to compare"},
        {"log", "#unit_log?", "of the release that misbehaved, until the incident was opened"},
        {"target_log", "#unit_log?", "of the one that should have replaced it, when that failed"},
        {"samples", "[]#sample", "before, meanwhile and after"},
        {"thresholds", "#thresholds", "as they stood then"},
        END,
};

const Shape incident_shapes[] = {
        OBJECT(incidents, "Incidents"),
        OBJECT(incident, "What a rollback, a hold or a manual review has opened"),
        OBJECT(incident_details, "All of one incident"),
        OBJECT(timeline_entry, "Something that happened"),
        OBJECT(difference, "What differs between two releases"),
        OBJECT(changed_file, "A file that differs"),
        OBJECT(changed_text, "The lines that differ"),
        OBJECT(unit_log, "What a release's units have logged"),
        OBJECT(log_line, "One line of it"),
        {0},
};
