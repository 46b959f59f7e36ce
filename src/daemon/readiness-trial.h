/* What a trial start is made of; readiness-trial.c has its life, readiness-trial-command.c what is run, and in which sandbox. */
#pragma once

#include "daemon/readiness.h"

#define TRIAL_STOP_BUDGET_US (10 * USEC_PER_SEC)
#define TRIAL_WORDS 64

typedef enum TrialManner {
        TRIAL_CHILD,     /* without systemd: a child process */
        TRIAL_TRANSIENT, /* as root: a unit made for it by systemd-run */
        TRIAL_TEMPLATE, /* not as root: an instance of novacron-rollback-trial@.service, the only one polkit lets us start */
} TrialManner;

struct ReadyTrial {
        ReadyRound *round;
        Process *process; /* the trial, or systemctl which starts it, stops it, or tells how it ended */
        HttpCall *call;
        sd_event_source *budget, *pause;
        TrialManner manner;
        bool stopping, asking,
                late; /* `asking`: how it is with the template's unit; `late`: it has not answered in time */
        int64_t begun_mono;
        uint16_t port;
        ReadyVerdict verdict;
        char unit[96]; /* each trial has its own: one that was cut off may still be stopping when the next begins */
        char url[512], said[DETAIL_MAX], next[DETAIL_MAX];
        char file[PATH_TEXT_MAX + 64]; /* of the template's command; "": none */
        unsigned word_count;
        char *words[TRIAL_WORDS]; /* what is to be run, NULL-terminated */
};

/* Fills `port`, `unit`, `url` and `words`, and for the template writes `file`. When it fails `next` says what to do about it. */
int trial_prepare(ReadyTrial *trial, Error *error);
void trial_discard(ReadyTrial *trial); /* all of that */
