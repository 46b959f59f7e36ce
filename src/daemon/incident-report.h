/* An incident for people: Markdown with pictures, made of what the API tells of it (the shape `incident_details`), so that the
 * controller, the command line and break glass tell the same. */
#pragma once

#include "base/error.h"

#include <jansson.h>

#define INCIDENT_REPORT_NAME "report.md"

/* Where the pictures are, seen from the text. */
typedef enum ReportPictures {
        PICTURES_BESIDE,   /* error-rate.svg: files in the same directory */
        PICTURES_OF_API,   /* plot/error-rate, below the incident's own path */
        PICTURES_EMBEDDED, /* inside: the text is all there is */
} ReportPictures;

/* free() it; NULL: out of memory. */
char *incident_report(const json_t *details, ReportPictures pictures);

/* One metric: "error-rate", "latency-p99" or "success-rate". free() it; NULL: no such metric, or out of memory. */
char *incident_plot(const json_t *details, const char *metric);
extern const char *const incident_plots[]; /* their names; NULL-terminated */

/* report.md, report.json and the pictures, each all or nothing. Blocks, for as long as the disk does. */
int incident_report_write(const json_t *details, const char *directory, Error *error);
