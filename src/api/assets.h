/* The dashboard's files, built into the program: read-only data, found by the path that a browser asks for. */
#pragma once

#include <stddef.h>

typedef struct Asset {
        const char *path;         /* "/", "/assets/app.js": as in the request, without a query */
        const char *content_type; /* "text/javascript; charset=utf-8" */
        const char *etag;         /* quoted, a digest of the data: a header's value as it is */
        const unsigned char *data;
        size_t size;
} Asset;

/* NULL: there is no such file. Every path but "/" lies under "/assets/". */
const Asset *asset_find(const char *path);
