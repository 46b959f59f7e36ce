/* Facts of the controller as News, in words, with the names by which receivers know them. A draft owns the texts of its news. */
#pragma once

#include "daemon/controller.h"

#define MOMENTS_MAX 64

/* By which everything this installation tells is named: kept in the journal, so that a restart names it the same. */
typedef struct TellIdentity {
        unsigned char key[16];
} TellIdentity;

void tell_identity_read(Journal *journal, TellIdentity *ret_identity); /* NULL or unreadable: one for this life */

typedef struct NewsDraft {
        News news;
        char text[ALERT_TEXT_MAX];
        char reason[REASON_MAX], by[INITIATOR_MAX], source[64];
        char from[VERSION_MAX], to[VERSION_MAX];
        char details[2 * STEP_COUNT][DETAIL_MAX];
        NewsSpan spans[2 * STEP_COUNT];
        NewsMoment moments[MOMENTS_MAX];
        char notes[MOMENTS_MAX][DETAIL_MAX];
} NewsDraft;

/* Each fills a draft that is all zeros. */
void news_of_alert(const TellIdentity *identity, const Alert *alert, int64_t held_run, int64_t over_wall,
                   NewsDraft *draft);
void news_of_run(const TellIdentity *identity, const Run *run, int64_t deployment_id, NewsDraft *draft);
/* The steps and what the journal notes of a run, for its trace. `journal` may be NULL. */
void news_add_trace(const TellIdentity *identity, Journal *journal, const Run *run, NewsDraft *draft);
void news_of_deployment(const TellIdentity *identity, const Deployment *deployment, NewsDraft *draft);
void news_of_incident(const TellIdentity *identity, const Incident *incident, NewsKind kind, NewsDraft *draft);
void news_of_test(const TellIdentity *identity, const char *by, int64_t now_wall, NewsDraft *draft);
