/* Any bytes as the headers that tell where a request comes from, a line each: Host, Origin, Sec-Fetch-Site, Cookie. What is let pass
 * is one of our names; another site's page isn't. */
#include "api/origin.h"
#include "api/problem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_one_of_ours(const char *host) {
        static const char *const names[] = {"localhost", "127.0.0.1", "[::1]", "10.0.0.3", "console.example"};
        char with_port[64];
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
                snprintf(with_port, sizeof with_port, "%s:8080", names[i]);
                if (strcasecmp(host, names[i]) == 0 || strcasecmp(host, with_port) == 0)
                        return true;
        }
        return false;
}

static void check(const OriginHeaders *headers) {
        static const char *const hosts[] = {"console.example", NULL};
        const OriginOurs ours = {.scheme = "http", .address = "10.0.0.3", .port = 8080, .hosts = hosts};
        Problem problem = {0};
        char value[16], expected[4096];
        if ((origin_check_host(headers, &ours, &problem) == 0) != is_one_of_ours(headers->host))
                abort();
        snprintf(expected, sizeof expected, "http://%s", headers->host);
        if (origin_check_site(headers, &ours, false, &problem) == 0 && strcasecmp(headers->origin, expected) != 0)
                abort();
        if (origin_cookie(headers, "novacron_session", value, sizeof value) &&
            (strlen(value) == 0 || !strstr(headers->cookie, value) || strpbrk(value, ";")))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char text[2048], *rest = text;
        if (size >= sizeof text)
                return 0;
        memcpy(text, data, size);
        text[size] = '\0';
        const char *lines[4];
        for (int i = 0; i < 4; i++) {
                const char *line = strsep(&rest, "\n");
                lines[i] = line ? line : "";
        }
        check(&(OriginHeaders){.host = lines[0], .origin = lines[1], .fetch_site = lines[2], .cookie = lines[3]});
        return 0;
}
