/* Whether psql would run a script inside one transaction, and nothing else: read as psql reads it, before anything runs. A script
 * with a COMMIT in it would defeat any transaction put around it, one with `\!` would run commands. Pure; bounded by the text. */
#pragma once

#include "base/error.h"

#include <stddef.h>

#define PG_SCRIPT_MAX ((size_t)16 * 1024 * 1024) /* bytes; a way back is a schema, not a data load */

/* 0, or -EINVAL: `error` begins with "line N: ". What it stands on:
 *   - quotes, E'' strings, dollar quotes, nested comments and COPY ... FROM stdin data are skipped as psql skips them, and must end;
 *   - no statement may end the transaction, begin another, change whose session it is, or reach beyond this database;
 *   - of psql's own commands only those that pg_dump writes: \restrict, \unrestrict, and \. behind data;
 *   - what psql reads in two ways, by a setting that the script could change, is refused: '\' before a quote, bytes that aren't
 *     UTF-8;
 *   - BEGIN ATOMIC bodies are refused (write the body as a quoted text), :name would be one of psql's variables. */
int pg_script_check(const char *text, size_t size, Error *error);
