#include "api/kept.h"

#include <errno.h>
#include <string.h>

#define VARIANTS 2

struct Kept {
        unsigned routes;
        struct KeptAnswer {
                struct MHD_Response *response;
                unsigned status;
                int64_t until_mono;
                uint64_t happened; /* see ApiServer */
                char name[32];
        } answers[][VARIANTS];
};

int kept_new(Kept **ret_kept, Error *error) {
        unsigned count = 0;
        while (routes[count].method)
                count++;
        Kept *kept = calloc(1, sizeof *kept + count * sizeof kept->answers[0]);
        if (!kept)
                return error_set(error, -ENOMEM, "no memory left for the answers of the interface");
        kept->routes = count;
        *ret_kept = kept;
        return 0;
}

Kept *kept_free(Kept *kept) {
        for (unsigned i = 0; kept && i < kept->routes; i++)
                for (unsigned j = 0; j < VARIANTS; j++)
                        if (kept->answers[i][j].response)
                                MHD_destroy_response(kept->answers[i][j].response);
        free(kept);
        return NULL;
}

struct MHD_Response *kept_find(const ApiServer *server, const Route *route, const char *name, unsigned variant,
                               unsigned *ret_status) {
        const struct KeptAnswer *answer = &server->kept->answers[route - routes][variant];
        if (!answer->response || strcmp(answer->name, name) != 0)
                return NULL;
        /* the description of the interface is always the same */
        if (route->kind != ROUTE_OPENAPI &&
            (answer->happened != server->happened || server_now(server) >= answer->until_mono))
                return NULL;
        *ret_status = answer->status;
        return answer->response;
}

void kept_put(ApiServer *server, const Route *route, const char *name, unsigned variant, unsigned status,
              struct MHD_Response *response) {
        struct KeptAnswer *answer = &server->kept->answers[route - routes][variant];
        if (answer->response)
                MHD_destroy_response(answer->response); /* who is being sent it keeps it */
        *answer = (struct KeptAnswer){.response = response,
                                      .status = status,
                                      .until_mono = server_now(server) + INT64_C(1000) * route->keep_ms,
                                      .happened = server->happened};
        snprintf(answer->name, sizeof answer->name, "%s", name);
}
