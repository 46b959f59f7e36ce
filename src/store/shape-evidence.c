#include "store/shape-evidence.h"

#include "base/macros.h"
#include "store/fields-json.h"
#include "store/shape-rows.h"

#include <errno.h>
#include <string.h>

static const Field evidence_fields[] = {
        INT64(Evidence, now_mono, "now_mono"),
        BOOL(Evidence, window_known, "window_known"),
        BOOL(Evidence, deployment_known, "deployment_known"),
        INT64(Evidence, deployment.id, "deployment_id"),
        INT64(Evidence, deployment_age_us, "deployment_age_us"),
        BOOL(Evidence, deployment_is_rollback, "deployment_is_rollback"),
        BOOL(Evidence, drained_by_operator, "drained_by_operator"),
        BOOL(Evidence, run_unsound, "run_unsound"),
        BOOL(Evidence, shadow, "shadow"),
        INT64(Evidence, rollbacks_today, "rollbacks_today"),
        END,
};

static const Field evidence_release_fields[] = {
        TEXT(Release, version, "version"),
        WORD(Release, state, "state", release_state_words),
        INT64(Release, since_wall, "since_wall"),
        BOOL(Release, present, "present"),
        END,
};

static const Field outage_fields[] = {
        BOOL(OutageLook, asked, "asked"),
        INT64(OutageLook, now_mono, "now_mono"),
        INT64(OutageLook, before.since_mono, "watch_since_mono"),
        INT64(OutageLook, before.failures, "watch_failures"),
        INT64(OutageLook, before.last_failure_mono, "watch_last_failure_mono"),
        BOOL(OutageLook, before.looked, "watch_looked"),
        BOOL(OutageLook, pulse.connected, "connected"),
        INT64(OutageLook, pulse.requests, "requests"),
        INT64(OutageLook, pulse.failures, "failures"),
        INT64(OutageLook, pulse.errors, "errors"),
        INT64(OutageLook, pulse.from_mono, "from_mono"),
        INT64(OutageLook, pulse.as_of_mono, "as_of_mono"),
        INT64(OutageLook, pulse.last_success_mono, "last_success_mono"),
        INT64(OutageLook, pulse.first_failure_mono, "first_failure_mono"),
        INT64(OutageLook, pulse.failures_since_success, "failures_since_success"),
        INT64(OutageLook, pulse.parked, "parked"),
        INT64(OutageLook, pulse.parked_longest_us, "parked_longest_us"),
        TEXT(OutageLook, pulse.detail, "detail"),
        BOOL(OutageLook, probe.known, "probe_known"),
        NUMBER(OutageLook, probe.consecutive_failures, "probe_consecutive_failures", 0),
        INT64(OutageLook, probe.last_success_mono, "probe_last_success_mono"),
        END,
};

static const Field units_fields[] = {
        BOOL(UnitsLook, asked, "asked"),
        INT64(UnitsLook, now_mono, "now_mono"),
        BOOL(UnitsLook, before.looked, "watch_looked"),
        INT64(UnitsLook, before.restarts, "watch_restarts"),
        BOOL(UnitsLook, units.loadable, "loadable"),
        BOOL(UnitsLook, units.active, "active"),
        BOOL(UnitsLook, units.alive, "alive"),
        BOOL(UnitsLook, units.failed, "failed"),
        INT64(UnitsLook, units.restarts, "restarts"),
        INT64(UnitsLook, units.main_pid, "main_pid"),
        INT64(UnitsLook, units.main_start_wall, "main_start_wall"),
        TEXT(UnitsLook, units.invocation, "invocation"),
        TEXT(UnitsLook, units.detail, "detail"),
        END,
};

typedef struct Moment {
        int64_t mono;
} Moment;
static const Field moment_fields[] = {INT64(Moment, mono, "mono"), END};

static const Field consensus_fields[] = {
        BOOL(ConsensusLook, asked, "asked"),
        INT64(ConsensusLook, patience_us, "patience_us"),
        INT64(ConsensusLook, before.missing_mono, "missing_mono"),
        BOOL(ConsensusLook, before.divided, "divided"),
        BOOL(ConsensusLook, before.agreed, "agreed"),
        INT64(ConsensusLook, state.at_mono, "at_mono"),
        END,
};

typedef struct ConsensusRecord ConsensusRecord;
static const Field consensus_record_fields[] = {
        INT64(ConsensusRecord, id, "id"),
        NUMBER(ConsensusRecord, data.count, "data_strikes", 0),
        INT64(ConsensusRecord, data.newest_mono, "data_newest_mono"),
        NUMBER(ConsensusRecord, leader.count, "leader_strikes", 0),
        INT64(ConsensusRecord, leader.newest_mono, "leader_newest_mono"),
        END,
};

static const Field consensus_member_fields[] = {
        TEXT(ConsensusMember, name, "name"),
        TEXT(ConsensusMember, address, "address"),
        INT64(ConsensusMember, id, "id"),
        BOOL(ConsensusMember, learner, "learner"),
        BOOL(ConsensusMember, reachable, "reachable"),
        INT64(ConsensusMember, term, "term"),
        INT64(ConsensusMember, leader, "leader"),
        INT64(ConsensusMember, applied, "applied"),
        INT64(ConsensusMember, revision, "revision"),
        BOOL(ConsensusMember, hashed, "hashed"),
        INT64(ConsensusMember, hash_revision, "hash_revision"),
        INT64(ConsensusMember, compact_revision, "compact_revision"),
        NUMBER(ConsensusMember, hash, "hash", 0),
        INT64(ConsensusMember, lag_us, "lag_us"),
        INT64(ConsensusMember, lag_least_us, "lag_least_us"),
        INT64(ConsensusMember, behind, "behind"),
        TEXT(ConsensusMember, detail, "detail"),
        END,
};

/* The parts that are one object each: all of the evidence but the arrays. */
static const struct {
        const char *name; /* NULL: in the document itself */
        const Field *fields;
        size_t offset;
} parts[] = {
        {NULL, evidence_fields, 0},
        {"deployment", deployment_fields, offsetof(Evidence, deployment)},
        {"outage", outage_fields, offsetof(Evidence, outage)},
        {"units", units_fields, offsetof(Evidence, units)},
        {"consensus", consensus_fields, offsetof(Evidence, consensus)},
};

/* And the arrays. `count`: where their number is. */
static const struct {
        const char *name;
        const Field *fields;
        size_t offset, size, count;
        unsigned max;
} arrays[] = {
#define ARRAY(name, fields, member, counted)                                                                           \
        {                                                                                                              \
                name, fields, offsetof(Evidence, member), sizeof(((Evidence *)0)->member[0]),                          \
                        offsetof(Evidence, counted), ARRAY_SIZE(((Evidence *)0)->member)                               \
        }
        ARRAY("releases", evidence_release_fields, releases, release_count),
        ARRAY("restarts", moment_fields, units.before.rises, units.before.count),
        ARRAY("strikes", consensus_record_fields, consensus.before.members, consensus.before.count),
        ARRAY("members", consensus_member_fields, consensus.state.members, consensus.state.count),
};

static unsigned count_at(const Evidence *evidence, size_t offset) {
        unsigned count;
        memcpy(&count, (const char *)evidence + offset, sizeof count);
        return count;
}

static int put_all(json_t *document, const Evidence *evidence) {
        int r = 0;
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++) {
                json_t *object = parts[i].name ? json_object() : document;
                if (parts[i].name)
                        r = json_object_set_new(document, parts[i].name, object);
                if (r == 0)
                        r = fields_to_json(object, parts[i].fields, (const char *)evidence + parts[i].offset);
        }
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(arrays); i++)
                if (count_at(evidence, arrays[i].count) > 0)
                        r = fields_to_json_array(document, arrays[i].name, arrays[i].fields,
                                                 (const char *)evidence + arrays[i].offset, arrays[i].size,
                                                 count_at(evidence, arrays[i].count));
        return r;
}

char *evidence_to_text(const Evidence *evidence) {
        json_t *document = json_object();
        char *text = document && put_all(document, evidence) == 0 ? json_dumps(document, JSON_COMPACT) : NULL;
        json_decref(document);
        return text;
}

static int get_all(const json_t *document, Evidence *evidence, Error *error) {
        int r = 0;
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++)
                r = fields_from_json(parts[i].name ? json_object_get(document, parts[i].name) : document,
                                     parts[i].fields, (char *)evidence + parts[i].offset, error);
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(arrays); i++) {
                unsigned count = 0;
                r = fields_from_json_array(document, arrays[i].name, arrays[i].fields,
                                           (char *)evidence + arrays[i].offset, arrays[i].size, arrays[i].max, &count,
                                           error);
                memcpy((char *)evidence + arrays[i].count, &count, sizeof count);
        }
        return r;
}

int evidence_from_text(const char *text, Evidence *ret_evidence, Error *error) {
        json_error_t where;
        json_t *document = json_loads(text, 0, &where);
        if (!document)
                return error_set(error, -EBADMSG, "the evidence isn't JSON (%s)", where.text);
        memset(ret_evidence, 0, sizeof *ret_evidence);
        int r = get_all(document, ret_evidence, error);
        json_decref(document);
        return r;
}
