/* Serves the fixture's operations until SIGTERM, for measurements and for tests in other languages:
 * api-tool SOCKET [listen=ADDRESS] [health=ADDRESS] [tls=ADDRESS cert=FILE key=FILE [ca=FILE]] [connections=N] */
#include "fixture.h"

#include <string.h>

int main(int argc, char **argv) {
        static const char *health[2];
        ApiSettings settings = {.socket_path = argc > 1 ? argv[1] : NULL, .health_listen = health};
        const struct {
                const char *name;
                const char **value;
        } texts[] = {{"listen=", &settings.listen},  {"health=", &health[0]},
                     {"tls=", &settings.tls_listen}, {"cert=", &settings.tls_certificate},
                     {"key=", &settings.tls_key},    {"ca=", &settings.tls_client_ca},
                     {"tokens=", &settings.tokens}};
        if (argc < 2)
                return 64;
        for (int i = 2; i < argc; i++) {
                for (size_t j = 0; j < ARRAY_SIZE(texts); j++)
                        if (strncmp(argv[i], texts[j].name, strlen(texts[j].name)) == 0)
                                *texts[j].value = argv[i] + strlen(texts[j].name);
                if (strncmp(argv[i], "connections=", 12) == 0)
                        settings.connections = (unsigned)atoi(argv[i] + 12);
        }
        return fixture_serve(&settings, STDOUT_FILENO);
}
