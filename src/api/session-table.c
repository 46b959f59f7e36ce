#include "api/session-table.h"

#include <sodium.h>
#include <string.h>

static void hash_of(const char *id, unsigned char ret_hash[32]) {
        crypto_hash_sha256(ret_hash, (const unsigned char *)id, strlen(id));
}

static bool is_over(const Session *session, int64_t now_mono) {
        return now_mono - session->used_mono >= SESSION_IDLE_US || now_mono - session->begun_mono >= SESSION_LIFE_US;
}

/* A free place, else the one of whoever is idle longest among those that may not act; of the others only for one that may. */
static Session *find_place(SessionTable *table, bool may_act, int64_t now_mono) {
        Session *best = NULL;
        for (unsigned i = 0; i < SESSIONS_MAX; i++) {
                Session *session = &table->sessions[i];
                if (!session->used || is_over(session, now_mono))
                        return session;
                if (session->owner.may_act && !may_act)
                        continue;
                bool worse =
                        best && (best->owner.may_act != session->owner.may_act ? session->owner.may_act
                                                                               : session->used_mono >= best->used_mono);
                if (!worse)
                        best = session;
        }
        return best;
}

bool session_begin(SessionTable *table, const SessionOwner *owner, int64_t now_mono, char ret_id[SESSION_ID_MAX]) {
        unsigned char secret[32];
        Session *place = find_place(table, owner->may_act, now_mono);
        if (!place)
                return false;
        randombytes_buf(secret, sizeof secret);
        sodium_bin2base64(ret_id, SESSION_ID_MAX, secret, sizeof secret, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        sodium_memzero(secret, sizeof secret);
        *place = (Session){.used = true, .owner = *owner, .begun_mono = now_mono, .used_mono = now_mono};
        place->owner.left_us = 0;
        hash_of(ret_id, place->hash);
        return true;
}

static Session *find(SessionTable *table, const char *id) {
        unsigned char hash[32];
        Session *found = NULL;
        hash_of(id, hash);
        for (unsigned i = 0; i < SESSIONS_MAX; i++)
                if (table->sessions[i].used && sodium_memcmp(table->sessions[i].hash, hash, sizeof hash) == 0)
                        found = &table->sessions[i];
        return found;
}

const Session *session_use(SessionTable *table, const char *id, int64_t now_mono) {
        Session *session = find(table, id);
        if (!session)
                return NULL;
        if (is_over(session, now_mono)) {
                sodium_memzero(session, sizeof *session);
                return NULL;
        }
        session->used_mono = now_mono;
        return session;
}

void session_end(SessionTable *table, const char *id) {
        Session *session = find(table, id);
        if (session)
                sodium_memzero(session, sizeof *session);
}
