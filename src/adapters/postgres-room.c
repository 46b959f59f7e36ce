/* Whether the safety dump has room where dumps lie: looked at while everything still serves. How far rows compress can't be told
 * beforehand, so only what almost certainly doesn't fit is refused; what may not fit is said. */
#include "adapters/postgres-schema.h"

#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>

#define BLOCK 4096             /* no dump is smaller */
#define HEAD (1 << 20)         /* of a dump, before any rows: all that the schema has, which isn't compressed */
#define BUDGET_US USEC_PER_SEC /* a file system answers at once, or hangs */
#define SAID_MAX 64

static int64_t smaller(int64_t a, int64_t b) {
        return a < b ? a : b;
}

/* What it takes at the very least. The last one may be of a database that was larger, so the tables have a say; they may be full
 * of rows that went, or of ones that compress very well. */
static int64_t at_least(const PgRoom *room, int64_t tables) {
        int64_t bytes = room->last < 0 ? tables / 64 : smaller(room->last / 2, tables / 8);
        return bytes > BLOCK ? bytes : BLOCK;
}

/* What surely is enough, as far as anything is: without compression values are written out as text. */
static int64_t at_most(const PgRoom *room, int64_t tables, bool compressed) {
        int64_t bytes = (compressed ? tables : 2 * tables) + HEAD;
        return room->last < 0 ? bytes : smaller(bytes, 2 * room->last);
}

SchemaVerdict pg_room_judge(const PgRoom *room, int64_t tables, bool compressed, const char *directory, char *why,
                            size_t size) {
        char left[32], of_tables[32], last[32], enough_text[32], known[128];
        int64_t enough = at_most(room, tables, compressed);
        units_format_bytes(room->available, left, sizeof left);
        units_format_bytes(tables, of_tables, sizeof of_tables);
        units_format_bytes(room->last, last, sizeof last);
        units_format_bytes(enough + enough / 16, enough_text,
                           sizeof enough_text); /* it is cut off when it is written */
        why[0] = '\0';
        if (room->last < 0)
                snprintf(known, sizeof known, "the tables take %s", of_tables);
        else
                snprintf(known, sizeof known, "the tables take %s, the last dump took %s", of_tables, last);
        if (room->available >= enough)
                return SCHEMA_REVERSIBLE;
        bool hopeless = room->available < at_least(room, tables);
        snprintf(why, size, "the safety dump %s fit into %.80s: %s left there, %s (%s would do)",
                 hopeless ? "doesn't" : "may not", directory, left, known, enough_text);
        return hopeless ? SCHEMA_REFUSED : SCHEMA_UNKNOWN;
}

/* ---- the look: in a process of its own, for a file system that hangs ---- */

static int look(void *argument, int output) {
        const Postgres *const *postgres = argument;
        PgRoom room;
        if (pg_dump_room(*postgres, &room) < 0)
                return 1;
        return dprintf(output, "%" PRId64 " %" PRId64, room.available, room.last) > 0 ? 0 : 1;
}

int pg_room_begin(const Postgres *postgres, int64_t budget_us, WorkerDone done, void *userdata, Worker **ret_worker,
                  Error *error) {
        return worker_begin(postgres->context.event, "looking for room for the safety dump", look, &postgres, SAID_MAX,
                            smaller(budget_us, BUDGET_US), done, userdata, ret_worker, error);
}

bool pg_room_read(const char *said, PgRoom *ret_room) {
        return sscanf(said, "%" SCNd64 " %" SCNd64, &ret_room->available, &ret_room->last) == 2;
}
