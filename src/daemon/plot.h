/* One metric over an incident, as an SVG picture: its samples, the threshold, what happened when, and the steps of the run, which are
 * short beside the rest and so are drawn larger in a strip below. Readable on a light and on a dark page. Text in, text out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct PlotPoint {
        int64_t at_wall; /* the sample's end */
        double value;
        bool known;
} PlotPoint;

typedef struct PlotMark {
        int64_t at_wall;
        const char *label; /* "v3.0.0 deployed" */
} PlotMark;

typedef struct PlotStep {
        int64_t from_wall, to_wall;
        unsigned number;
        const char *title;
        bool failed;
} PlotStep;

typedef struct Plot {
        const char *title; /* "Error rate" */
        const char *unit;  /* "%", "ms" */
        const PlotPoint *points;
        size_t point_count;
        double threshold;
        bool below_is_bad; /* the value has to stay above the threshold; else below it */
        const PlotMark *marks;
        size_t mark_count;
        const PlotStep *steps; /* of the run, in order */
        size_t step_count;
} Plot;

/* free() it; NULL: out of memory. Without a single point it says so. */
char *plot_svg(const Plot *plot);
