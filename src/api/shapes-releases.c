/* Deployments and releases. */
#include "api/shapes-tables.h"

static const ShapeMember deployment[] = {
        {"id", "integer", NULL},
        {"version", "text", NULL},
        {"previous", "text?", "the release before it"},
        {"at", "time", NULL},
        {"observed", "boolean", "somebody else did it"},
        {"run", "integer?", "the run that did it"},
        END,
};

static const ShapeMember history[] = {
        {"runs", "[]#run", "newest first"},
        {"deployments", "[]#deployment", "newest first"},
        END,
};

static const ShapeMember deployments[] = {
        {"paused", "boolean", NULL},
        {"by", "text?", "who paused them"},
        {"since", "time?", NULL},
        {"why", "text?", NULL},
        END,
};

static const ShapeMember adopted_release[] = {
        {"version", "text", NULL},
        {"state", RELEASE_STATE, NULL},
        {"taken_in", "boolean", "it has a manifest"},
        DETAIL,
        END,
};

static const ShapeMember adopt[] = {{"releases", "[]#adopted_release", NULL}, END};

const Shape release_shapes[] = {
        OBJECT(history, "Runs and deployments"),
        OBJECT(deployment, "A release was made current"),
        OBJECT(deployments, "Whether deployments are paused"),
        OBJECT(adopt, "The releases on this machine"),
        OBJECT(adopted_release, "One release on this machine"),
        {0},
};
