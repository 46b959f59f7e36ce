/* The sessions there are: bounded, in memory, each ends when it was idle or has lived too long. Time is an argument. */
#pragma once

#include "api/tokens.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SESSIONS_MAX 64
#define SESSION_IDLE_US (30 * INT64_C(60000000))
#define SESSION_LIFE_US (12 * INT64_C(3600000000))
#define SESSION_ID_MAX 48 /* 256 random bits as text */

/* How the one who began it was known. Whether he still may is asked again at each request: a session adds no right. */
typedef enum SessionBy { SESSION_BY_USER, SESSION_BY_TOKEN, SESSION_BY_CERTIFICATE } SessionBy;

typedef struct SessionOwner {
        SessionBy by;
        uid_t uid; /* whose connection it was; (uid_t)-1: not known */
        unsigned char token[TOKEN_HASH_SIZE];
        char common_name[64];
        bool may_act;
        int64_t left_us; /* known by a session: how long that may last at most; 0: not by one */
} SessionOwner;

typedef struct Session {
        bool used;
        unsigned char hash[32]; /* of the id: who reads our memory gets none */
        SessionOwner owner;
        int64_t begun_mono, used_mono;
} Session;

typedef struct SessionTable {
        Session sessions[SESSIONS_MAX];
} SessionTable;

/* Begins one, and gives its id. When the table is full the one idle longest ends, first among those that may not act: who may only
 * look can't push out who may act. False: so there is no place. */
bool session_begin(SessionTable *table, const SessionOwner *owner, int64_t now_mono, char ret_id[SESSION_ID_MAX]);

/* The session of an id, which is in use now; NULL: there is none (any more). */
const Session *session_use(SessionTable *table, const char *id, int64_t now_mono);

void session_end(SessionTable *table, const char *id);
