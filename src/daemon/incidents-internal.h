/* What the files of the incidents share. */
#pragma once

#include "daemon/incidents.h"
#include "daemon/telling.h"
#include "io/worker.h"

#define INCIDENT_TASKS_MAX 8
#define INCIDENT_SAMPLES_BEFORE 40
#define INCIDENT_SAMPLES_MAX 120

enum {
        TASK_CAPTURE = 1 << 0,    /* the difference, and the log of what misbehaved */
        TASK_TARGET_LOG = 1 << 1, /* the log of what was to replace it */
        TASK_REPORT = 1 << 2,
};

struct Incidents {
        sd_event_source *soon; /* a run has begun: opened when the loop has nothing else to do, so that no step waits */
        unsigned standing;     /* reviews of the machine that stand: bit of each source */
        bool failing;          /* the journal can't take them; said once */

        unsigned sample_count; /* the newest, for what led to it */
        Sample samples[INCIDENT_SAMPLES_BEFORE];
        int64_t collecting_id, collecting_until_mono; /* 0: no incident's samples are being collected */
        json_t *collected;

        Worker *worker; /* one at a time */
        struct IncidentTask {
                int64_t id;
                unsigned what;
        } tasks[INCIDENT_TASKS_MAX], current;
        unsigned task_count;
};

struct Incidents *incidents_of(Controller *controller); /* NULL: out of memory */

/* Keeps the change and the note, and tells whoever listens. */
int incident_keep(Controller *controller, Incident *incident, const JournalNote *note, Error *error);
void incident_tell(Controller *controller, Incident *incident, IncidentChange change);
JournalNote incident_note(const char *kind, int64_t run_id, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

void incident_queue(Controller *controller, int64_t id, unsigned what); /* set of TASK_... */
void incident_collect(Controller *controller, const Incident *incident);
void incident_collect_until(Controller *controller, int64_t id, int64_t from_now_us);

/* The directory of its report: "/var/lib/novacron/incidents/7". */
char *incident_directory(const Config *config, int64_t id, char *buffer, size_t size);
