/* What a request says of where it comes from: by which name we were asked (Host), and which page a browser made it for (Origin,
 * Sec-Fetch-*, a cookie). Pure: it decides from the headers alone. Nothing here proves who asks; it keeps pages of other sites from
 * using the browser of somebody who may. */
#pragma once

#include "api/api.h"

/* NULL: the header wasn't sent. */
typedef struct OriginHeaders {
        const char *host, *origin, *fetch_site, *fetch_mode, *fetch_dest, *cookie;
} OriginHeaders;

typedef struct OriginOurs {
        const char *scheme;       /* "http" or "https" */
        const char *address;      /* the listener's, as text without brackets: "127.0.0.1", "::1" */
        unsigned port;            /* the listener's */
        const char *const *hosts; /* further names; NULL: none */
} OriginOurs;

/* 0; or -1 with `problem` filled: 400 no Host, 421 a Host that isn't ours (a name that somebody else's DNS points at us). */
int origin_check_host(const OriginHeaders *headers, const OriginOurs *ours, Problem *problem);

/* 0; or -1 and 403: a page of another site has made this request. `page`: a GET of the page itself, to which a link may lead from
 * anywhere. */
int origin_check_site(const OriginHeaders *headers, const OriginOurs *ours, bool page, Problem *problem);

/* Whether a browser sent it: programs send neither Origin nor Sec-Fetch-* nor cookies, unless told to. */
bool origin_is_browser(const OriginHeaders *headers);

/* The value of a cookie; false: there is none of that name, it is there twice, or it doesn't fit. */
bool origin_cookie(const OriginHeaders *headers, const char *name, char *ret_value, size_t size);
