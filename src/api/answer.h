/* Answers as MHD sends them, with the headers that belong to each kind. All return NULL when memory is gone: the connection is then
 * closed. */
#pragma once

#include "api/assets.h"
#include "api/server.h"

struct MHD_Response *answer_json(const ApiServer *server, const json_t *document);
/* The same for a document that stays as it is for as long as the program runs. */
struct MHD_Response *answer_description(const ApiServer *server, const json_t *document);
/* Clears `problem`. `allow`: of a 405, else NULL. */
struct MHD_Response *answer_problem(const ApiServer *server, const char *path, Problem *problem, const char *allow);
struct MHD_Response *answer_text(const ApiServer *server, const char *text, bool svg); /* Markdown, or SVG */
/* A text of metrics; `openmetrics`: as it is, else in the older format. */
struct MHD_Response *answer_metrics(const ApiServer *server, const char *text, bool openmetrics);
/* `not_modified`: the 304, without the data. */
struct MHD_Response *answer_asset(const Asset *asset, bool not_modified);

/* Queues the answer, and lets go of it. */
enum MHD_Result answer_send(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response);
