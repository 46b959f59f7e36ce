/* Tables that came after the first schema: each is one text, used for a new journal and for the migration of an old one, so that the
 * two can't differ. Times are microseconds since the epoch; words, not numbers, for who looks with the sqlite3 shell. */
#pragma once

#define AUDIT_TABLE                                                                                                    \
        "CREATE TABLE audit (id INTEGER PRIMARY KEY, at_wall INTEGER NOT NULL, uid INTEGER, who TEXT NOT NULL,"        \
        " whence TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, arguments TEXT, status INTEGER NOT NULL,"    \
        " outcome TEXT NOT NULL);"

/* schema 4 */
#define INCIDENT_TABLES                                                                                                \
        "CREATE TABLE incidents (id INTEGER PRIMARY KEY, cause TEXT NOT NULL, severity TEXT NOT NULL,"                 \
        " state TEXT NOT NULL, opened_wall INTEGER NOT NULL, acknowledged_wall INTEGER NOT NULL,"                      \
        " resolved_wall INTEGER NOT NULL, acknowledged_by TEXT NOT NULL, resolved_by TEXT NOT NULL,"                   \
        " title TEXT NOT NULL, version TEXT NOT NULL, target TEXT NOT NULL, deployment_id INTEGER NOT NULL,"           \
        " decision_id INTEGER NOT NULL, run_id INTEGER NOT NULL, source TEXT NOT NULL, outcome TEXT NOT NULL,"         \
        " told TEXT NOT NULL);"                                                                                        \
        "CREATE TABLE incident_notes (id INTEGER PRIMARY KEY, incident_id INTEGER NOT NULL REFERENCES incidents,"      \
        " at_wall INTEGER NOT NULL, kind TEXT NOT NULL, ref INTEGER NOT NULL, text TEXT NOT NULL);"                    \
        "CREATE INDEX notes_of_incident ON incident_notes (incident_id);"                                              \
        "CREATE TABLE incident_parts (incident_id INTEGER NOT NULL REFERENCES incidents, kind TEXT NOT NULL,"          \
        " json TEXT NOT NULL, PRIMARY KEY (incident_id, kind)) WITHOUT ROWID;"

/* What is to be told, until it is: in order for each receiver, each event once. What is sent is kept as it is sent, so that each try is the
 * same; `driver` made it. */
#define OUTBOX_TABLE                                                                                                   \
        "CREATE TABLE outbox (id INTEGER PRIMARY KEY, receiver TEXT NOT NULL, driver TEXT NOT NULL,"                   \
        " event TEXT NOT NULL, kind TEXT NOT NULL, severity TEXT NOT NULL, path TEXT NOT NULL, headers TEXT NOT NULL," \
        " body TEXT NOT NULL, state TEXT NOT NULL, made_wall INTEGER NOT NULL, ended_wall INTEGER NOT NULL,"           \
        " answer TEXT NOT NULL);"                                                                                      \
        "CREATE UNIQUE INDEX outbox_events ON outbox (receiver, event);"                                               \
        "CREATE INDEX outbox_waiting ON outbox (receiver, id) WHERE state = 'waiting';"

/* Each link is the hash of the link before it and of the record it stands for (journal-chain.c). `schema` is the journal's at that
 * time: which columns the digest is of. `about`: where the chain begins, what was there before. */
#define CHAIN_TABLE                                                                                                    \
        "CREATE TABLE chain (seq INTEGER PRIMARY KEY, at_wall INTEGER NOT NULL, kind TEXT NOT NULL,"                   \
        " ref INTEGER NOT NULL, schema INTEGER NOT NULL, about TEXT NOT NULL, digest BLOB NOT NULL,"                   \
        " link BLOB NOT NULL);"

#define RUN_COLUMNS_4 "ALTER TABLE runs ADD COLUMN allow_row_loss INTEGER NOT NULL DEFAULT 0;"

/* `evidence`: JSON, by the tables of shape-evidence.c; "" for a decision from before. */
#define DECISION_COLUMNS_4                                                                                             \
        "ALTER TABLE decisions ADD COLUMN rule_version INTEGER NOT NULL DEFAULT 1;"                                    \
        "ALTER TABLE decisions ADD COLUMN evidence TEXT NOT NULL DEFAULT '';"
