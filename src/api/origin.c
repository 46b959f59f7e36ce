#include "api/origin.h"

#include "api/problem.h"
#include "base/exit-codes.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- Host ---- */

static bool same_name(const char *name, size_t length, const char *ours) {
        return ours && strlen(ours) == length && strncasecmp(name, ours, length) == 0;
}

/* "name", "name:8080", "[::1]:8080": the length of the name, in brackets too; 0 when it is none of these, or has another port. */
static size_t name_length(const char *host, unsigned port) {
        size_t length = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
        if (length > strlen(host) || host[length] == '\0')
                return length > strlen(host) ? 0 : length;
        char ours[16];
        snprintf(ours, sizeof ours, ":%u", port);
        return strcmp(host + length, ours) == 0 ? length : 0;
}

static bool host_is_ours(const char *host, const OriginOurs *ours) {
        static const char *const always[] = {"localhost", "127.0.0.1", "[::1]"};
        size_t length = name_length(host, ours->port);
        if (length == 0)
                return false;
        for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
                if (same_name(host, length, always[i]))
                        return true;
        bool bracketed = host[0] == '[';
        if (bracketed ? same_name(host + 1, length - 2, ours->address) : same_name(host, length, ours->address))
                return bracketed == (strchr(ours->address, ':') != NULL);
        for (const char *const *name = ours->hosts; name && *name; name++)
                if (same_name(host, length, *name))
                        return true;
        return false;
}

int origin_check_host(const OriginHeaders *headers, const OriginOurs *ours, Problem *problem) {
        if (!headers->host || headers->host[0] == '\0')
                return problem_set(problem, 400, EXIT_USAGE_ERROR, "No Host", "send the header Host: %s%s%s:%u",
                                   strchr(ours->address, ':') ? "[" : "", ours->address,
                                   strchr(ours->address, ':') ? "]" : "", ours->port);
        if (host_is_ours(headers->host, ours))
                return 0;
        return problem_set(
                problem, 421, EXIT_PERMISSION, "Not our name",
                "'%.100s' is none of this controller's names (localhost, its address, and api.hosts); if it is one, add it to "
                "api.hosts",
                headers->host);
}

/* ---- Origin and Sec-Fetch-* ---- */

/* A browser says "null" for a page whose site it won't tell: that is nobody's. */
static bool origin_is_ours(const char *origin, const char *host, const OriginOurs *ours) {
        size_t scheme = strlen(ours->scheme);
        return strncasecmp(origin, ours->scheme, scheme) == 0 && strncmp(origin + scheme, "://", 3) == 0 &&
               strcasecmp(origin + scheme + 3, host) == 0;
}

static bool is(const char *header, const char *word) {
        return header && strcmp(header, word) == 0;
}

static int foreign(Problem *problem, const char *page) {
        return problem_set(problem, 403, EXIT_PERMISSION, "Another site's page",
                           "a browser asks for a page of another site (%.100s); only this controller's own pages may",
                           page);
}

int origin_check_site(const OriginHeaders *headers, const OriginOurs *ours, bool page, Problem *problem) {
        if (headers->origin && !origin_is_ours(headers->origin, headers->host ? headers->host : "", ours))
                return foreign(problem, headers->origin);
        const char *site = headers->fetch_site;
        if (!site || is(site, "same-origin") || is(site, "none"))
                return 0;
        if (page && !headers->origin && is(headers->fetch_mode, "navigate") && is(headers->fetch_dest, "document"))
                return 0;
        return foreign(problem, site);
}

bool origin_is_browser(const OriginHeaders *headers) {
        return headers->origin || headers->fetch_site || headers->fetch_mode || headers->fetch_dest || headers->cookie;
}

/* ---- cookies ---- */

bool origin_cookie(const OriginHeaders *headers, const char *name, char *ret_value, size_t size) {
        const char *found = NULL;
        size_t name_size = strlen(name), found_size = 0;
        for (const char *at = headers->cookie; at && *at;) {
                at += strspn(at, " ;");
                size_t length = strcspn(at, ";");
                if (length > name_size && strncmp(at, name, name_size) == 0 && at[name_size] == '=') {
                        if (found)
                                return false;
                        found = at + name_size + 1;
                        found_size = length - name_size - 1;
                }
                at += length;
        }
        while (found_size > 0 && found[found_size - 1] == ' ')
                found_size--;
        if (found_size == 0 || found_size >= size)
                return false;
        memcpy(ret_value, found, found_size);
        ret_value[found_size] = '\0';
        return true;
}
