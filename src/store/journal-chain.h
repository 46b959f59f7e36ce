/* The chain of records: each link is SHA-256 over the link before it and the digest of the record it stands for, written in the
 * record's own transaction. Who changes a record later, takes one away, or puts one in between breaks it; who could write the whole
 * chain anew can't make its newest link the one that was noted elsewhere (journal_verify(), `known`). */
#pragma once

#include "store/journal-internal.h"

typedef enum ChainKind {
        CHAIN_BEGIN,    /* the chain's first link: what was there before it */
        CHAIN_DECISION, /* with its samples, rules and evidence */
        CHAIN_RECORD,
        CHAIN_RUN, /* how it ended, with its plan and steps */
        CHAIN_VALIDATION,
        CHAIN_INCIDENT, /* with its notes; not what was captured for it */
        CHAIN_AUDIT,    /* what was not refused: refusals come from anybody, and as many as they like */
        CHAIN_KIND_COUNT,
} ChainKind;

#define DIGEST_BYTES 32

/* Within the transaction that has written the record. A record that changes (an incident) gets a new link each time; the newest
 * counts. Nothing, without an error, in a journal that has no chain yet (its migration met a full disk). */
int journal_chain_add(Journal *journal, ChainKind kind, int64_t ref, int64_t at_wall, Error *error);

/* What the two files of the chain share. */
typedef struct ChainRow {
        int64_t seq, at_wall, ref, schema;
        const char *kind, *about;
        const unsigned char *digest;
} ChainRow;

const char *chain_kind_name(ChainKind kind);
const char *chain_kind_table(ChainKind kind);
const char *chain_kind_key(ChainKind kind);    /* the table's column that is `ref` */
const char *chain_kind_filter(ChainKind kind); /* which of its rows have a link; SQL */
int64_t chain_kind_kept(ChainKind kind);       /* the newest so many; older ones are dropped by ourselves. 0: all */
void chain_link(const unsigned char before[DIGEST_BYTES], const ChainRow *row, unsigned char ret_link[DIGEST_BYTES]);
/* 1; 0: the record isn't there. By the columns that the table had in that schema. */
int chain_digest(Journal *journal, ChainKind kind, int64_t ref, int64_t schema, unsigned char ret_digest[DIGEST_BYTES],
                 Error *error);
