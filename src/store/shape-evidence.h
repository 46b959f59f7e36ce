/* The layout of a decision's evidence (core/replay.h), as JSON text. */
#pragma once

#include "base/error.h"
#include "core/evidence.h"

char *evidence_to_text(const Evidence *evidence);                               /* to be freed; NULL: out of memory */
int evidence_from_text(const char *text, Evidence *ret_evidence, Error *error); /* -EBADMSG: it isn't one */
