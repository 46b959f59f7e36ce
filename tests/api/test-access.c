/* The rules of who may do what, as tables of requests; what a connection is known by is made up here. The kernel's own answers are
 * in tests/base/test-peer-tcp.c. */
#include "api/access-decide.h"
#include "api/problem.h"
#include "api/session.h"
#include "base/macros.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define GROUP_GAMES 60
#define ROOT 0
#define NOBODY 65534
#define UNKNOWN ((uid_t)-1)
#define MINUTE INT64_C(60000000)
#define TOKEN_ACT "nvr_a-token-that-may-act"
#define TOKEN_READ "nvr_a-token-that-may-read"

static char directory[] = "/tmp/test-access-XXXXXX", tokens_path[64];

/* ---- one request ---- */

typedef struct Ask {
        PeerKind kind;
        const char *method, *pattern;
        uid_t uid;
        const char *host, *origin, *site, *mode, *dest, *cookie, *authorization, *session_header;
        const char *certificate; /* its common name; "reader" may read, others act */
        bool doubled;
} Ask;

static const char *const no_hosts[] = {"novacron.example", NULL};
static ApiSettings settings;
static Access *access_;
static int64_t now;
static bool unix_may_act;
static unsigned looked_up; /* how often the kernel would have been asked */

#define NETLINK_FORBIDDEN 4711 /* as a user: the kernel can't be asked */

static int fake_uid(void *userdata, uid_t *ret_uid, Error *error) {
        const Ask *ask = userdata;
        looked_up++;
        if (ask->uid == NETLINK_FORBIDDEN)
                return error_set(error, -EAFNOSUPPORT, "the kernel cannot be asked");
        *ret_uid = ask->uid;
        return ask->uid != UNKNOWN;
}

static bool fake_certificate(void *userdata, char *ret_name, size_t size, bool *ret_may_act) {
        const Ask *ask = userdata;
        if (!ask->certificate)
                return false;
        snprintf(ret_name, size, "%s", ask->certificate);
        *ret_may_act = strcmp(ask->certificate, "reader") != 0;
        return true;
}

static const Route *route_of(const Ask *ask) {
        static const Route page = {.method = "GET", .pattern = "/", .right = RIGHT_ANYBODY};
        if (strcmp(ask->pattern, "/") == 0)
                return &page;
        RouteMatch match;
        Problem problem = {0};
        const Route *route = route_find(ask->method, ask->pattern, &match, &problem);
        if (!route)
                fail_msg("no route %s %s", ask->method, ask->pattern);
        return route;
}

static Caller caller;
static SessionOwner owner;
static char detail[ERROR_MESSAGE_MAX];

/* 200 or the problem's status. */
static int decide(const Ask *ask) {
        const AccessRequest request = {
                .kind = ask->kind,
                .headers = {.host = ask->host,
                            .origin = ask->origin,
                            .fetch_site = ask->site,
                            .fetch_mode = ask->mode,
                            .fetch_dest = ask->dest,
                            .cookie = ask->cookie},
                .ours = {.scheme = ask->kind == PEER_TLS ? "https" : "http",
                         .address = ask->kind == PEER_TLS ? "10.0.0.3" : "127.0.0.1",
                         .port = 8080,
                         .hosts = no_hosts},
                .authorization = ask->authorization,
                .session_header = ask->session_header,
                .address = "10.0.0.9",
                .doubled = ask->doubled,
                .now_mono = now,
                .peer_uid = fake_uid,
                .certificate = fake_certificate,
                .userdata = (void *)ask,
        };
        Peer peer = {.kind = ask->kind, .caller.may_act = ask->kind == PEER_UNIX && unix_may_act};
        Problem problem = {0};
        access_greet(access_, &peer);
        caller = peer.caller;
        int r = access_decide(access_, &request, route_of(ask), &caller, &owner, &problem);
        snprintf(detail, sizeof detail, "%s", r < 0 ? problem.detail : "");
        problem_clear(&problem);
        return r < 0 ? problem.status : 200;
}

typedef struct Rule {
        const char *what;
        Ask ask;
        int status;
} Rule;

static void check(const Rule *rules, size_t count) {
        for (size_t i = 0; i < count; i++) {
                int status = decide(&rules[i].ask);
                if (status != rules[i].status)
                        fail_msg("%s: %d instead of %d: %s", rules[i].what, status, rules[i].status, detail);
        }
}
#define CHECK(rules) check(rules, ARRAY_SIZE(rules))

/* ---- fixture ---- */

static void write_tokens(const char *text, mode_t mode) {
        (void)unlink(tokens_path);
        AUTO_CLOSE int fd = open(tokens_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
        assert_true(fd >= 0 && fchmod(fd, mode) == 0);
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static const char *line_of(const char *name, const char *right, const char *token) {
        static char lines[4][200];
        static unsigned next;
        unsigned char hash[32];
        char digits[65], *line = lines[next++ % 4];
        crypto_hash_sha256(hash, (const unsigned char *)token, strlen(token));
        sodium_bin2hex(digits, sizeof digits, hash, sizeof hash);
        snprintf(line, sizeof lines[0], "%s %s %s\n", name, right, digits);
        return line;
}

static void usual_tokens(void) {
        char text[600];
        snprintf(text, sizeof text, "# who\n\n%s%s", line_of("deploy-bot", "act", TOKEN_ACT),
                 line_of("viewer", "read", TOKEN_READ));
        write_tokens(text, 0600);
}

static int begin(UNUSED void **state) {
        Error error = {0};
        usual_tokens();
        settings = (ApiSettings){.tokens = tokens_path};
        now = 1000 * MINUTE;
        looked_up = 0;
        return access_new(&settings, GROUP_GAMES, &access_, &error);
}

static int end(UNUSED void **state) {
        access_ = access_free(access_);
        return 0;
}

/* ---- which listener ---- */

#define HOST .host = "localhost:8080"
#define STATUS "GET", "/api/v3/status"
#define PAUSE "POST", "/api/v3/deployment/pause"
#define SESSION "POST", "/api/v3/session"

static void test_health_addresses_answer_the_health_alone(UNUSED void **state) {
        static const Rule rules[] = {
                {"health", {PEER_HEALTH, "GET", "/api/v3/health", UNKNOWN, HOST}, 200},
                {"head", {PEER_HEALTH, "HEAD", "/api/v3/health", UNKNOWN, HOST}, 200},
                {"a component", {PEER_HEALTH, "GET", "/api/v3/health/database", UNKNOWN, HOST}, 200},
                {"status", {PEER_HEALTH, STATUS, UNKNOWN, HOST}, 403},
                {"the description", {PEER_HEALTH, "GET", "/openapi.json", UNKNOWN, HOST}, 403},
                {"the page", {PEER_HEALTH, "GET", "/", UNKNOWN, HOST}, 403},
                {"acting, as root", {PEER_HEALTH, PAUSE, ROOT, .host = NULL}, 403},
                {"acting with a token", {PEER_HEALTH, PAUSE, ROOT, .authorization = "Bearer " TOKEN_ACT}, 403},
                {"a session with a token", {PEER_HEALTH, SESSION, ROOT, .authorization = "Bearer " TOKEN_ACT}, 403},
        };
        CHECK(rules);
        assert_int_equal(looked_up, 0);
}

/* Whom the kernel named when he connected. */
static void test_the_unix_socket(UNUSED void **state) {
        static const Rule rules[] = {
                {"reading", {PEER_UNIX, STATUS, UNKNOWN, .host = NULL}, 200},
                {"acting", {PEER_UNIX, PAUSE, UNKNOWN, .host = NULL}, 403},
                {"a token is for other listeners",
                 {PEER_UNIX, PAUSE, UNKNOWN, .authorization = "Bearer " TOKEN_ACT},
                 403},
        };
        CHECK(rules);
        assert_non_null(strstr(detail, "may only look"));
        settings.readers_group = true;
        assert_int_equal(decide(&rules[0].ask), 403);
        assert_int_equal(decide(&(Ask){PEER_UNIX, "GET", "/api/v3/health", UNKNOWN, .host = NULL}), 200);
        unix_may_act = true;
        assert_int_equal(decide(&rules[0].ask), 200);
        assert_int_equal(decide(&rules[1].ask), 200);
        unix_may_act = false;
        assert_int_equal(looked_up, 0);
}

static void test_loopback_knows_the_user(UNUSED void **state) {
        static const Rule rules[] = {
                {"reading", {PEER_LOOPBACK, STATUS, NOBODY, HOST}, 200},
                {"health", {PEER_LOOPBACK, "GET", "/api/v3/health", UNKNOWN, HOST}, 200},
                {"reading, unknown", {PEER_LOOPBACK, STATUS, UNKNOWN, HOST}, 200},
        };
        CHECK(rules);
        assert_int_equal(looked_up, 0); /* nothing is asked of the kernel for what everybody may */
        static const Rule acting[] = {
                {"root", {PEER_LOOPBACK, PAUSE, ROOT, HOST}, 200},
                {"nobody", {PEER_LOOPBACK, PAUSE, NOBODY, HOST}, 403},
                {"unknown", {PEER_LOOPBACK, PAUSE, UNKNOWN, HOST}, 401},
                {"by the group of /etc/passwd (games)", {PEER_LOOPBACK, PAUSE, 5, HOST}, 200},
                {"in no such group (daemon)", {PEER_LOOPBACK, PAUSE, 1, HOST}, 403},
                {"a certificate counts for nothing here",
                 {PEER_LOOPBACK, PAUSE, UNKNOWN, HOST, .certificate = "ops"},
                 401},
        };
        CHECK(acting);
        decide(&acting[0].ask);
        assert_string_equal(caller.name, "root (uid 0)");
        decide(&acting[1].ask);
        assert_non_null(strstr(detail, "you are nobody (uid 65534)"));
        assert_non_null(strstr(detail, "use sudo"));
        decide(&acting[2].ask);
        assert_non_null(strstr(detail, "sudo"));
        assert_non_null(strstr(detail, "token"));
        assert_int_equal(decide(&(Ask){PEER_LOOPBACK, PAUSE, NETLINK_FORBIDDEN, HOST}), 401);
        assert_non_null(strstr(detail, "the kernel cannot be asked"));
}

static const char *begin_session(const Ask *ask) {
        static char cookies[4][100];
        static unsigned next;
        char id[SESSION_ID_MAX], *cookie = cookies[next++ % 4];
        assert_int_equal(decide(ask), 200);
        assert_true(session_begin(&access_->sessions, &owner, now, id));
        snprintf(cookie, sizeof cookies[0], "theme=dark; " SESSION_COOKIE "=%s", id);
        return cookie;
}

static void test_readers_may_be_the_group_alone(UNUSED void **state) {
        settings.readers_group = true;
        static const Rule rules[] = {
                {"root", {PEER_LOOPBACK, STATUS, ROOT, HOST}, 200},
                {"a member", {PEER_LOOPBACK, STATUS, 5, HOST}, 200},
                {"nobody", {PEER_LOOPBACK, STATUS, NOBODY, HOST}, 403},
                {"unknown", {PEER_LOOPBACK, STATUS, UNKNOWN, HOST}, 401},
                {"a token", {PEER_LOOPBACK, STATUS, UNKNOWN, HOST, .authorization = "Bearer " TOKEN_READ}, 200},
                {"a session for nobody", {PEER_LOOPBACK, SESSION, NOBODY, HOST}, 403},
                {"health", {PEER_LOOPBACK, "GET", "/api/v3/health", UNKNOWN, HOST}, 200},
        };
        CHECK(rules);
        Ask look = {PEER_LOOPBACK, STATUS, ROOT, HOST, .site = "same-origin"};
        look.cookie = begin_session(&(Ask){PEER_LOOPBACK, SESSION, ROOT, HOST});
        assert_int_equal(decide(&look), 200);
        look.uid = NOBODY; /* who was sent the cookie */
        assert_int_equal(decide(&look), 403);
}

static void test_tls_wants_a_token_or_a_certificate(UNUSED void **state) {
        static const Rule rules[] = {
                {"nothing", {PEER_TLS, STATUS, ROOT, HOST}, 401},
                {"nothing, acting", {PEER_TLS, PAUSE, ROOT, HOST}, 401},
                {"health", {PEER_TLS, "GET", "/api/v3/health", UNKNOWN, HOST}, 200},
                {"token", {PEER_TLS, PAUSE, UNKNOWN, HOST, .authorization = "Bearer " TOKEN_ACT}, 200},
                {"the scheme in small letters",
                 {PEER_TLS, PAUSE, UNKNOWN, HOST, .authorization = "bearer " TOKEN_ACT},
                 200},
                {"a reader's token reads",
                 {PEER_TLS, STATUS, UNKNOWN, HOST, .authorization = "Bearer " TOKEN_READ},
                 200},
                {"and doesn't act", {PEER_TLS, PAUSE, UNKNOWN, HOST, .authorization = "Bearer " TOKEN_READ}, 403},
                {"a wrong one", {PEER_TLS, STATUS, UNKNOWN, HOST, .authorization = "Bearer " TOKEN_ACT "x"}, 401},
                {"an empty one", {PEER_TLS, STATUS, UNKNOWN, HOST, .authorization = "Bearer "}, 401},
                {"a password", {PEER_TLS, STATUS, UNKNOWN, HOST, .authorization = "Basic cm9vdDpyb290"}, 401},
                {"a certificate", {PEER_TLS, PAUSE, UNKNOWN, HOST, .certificate = "ops"}, 200},
                {"a reader's reads", {PEER_TLS, STATUS, UNKNOWN, HOST, .certificate = "reader"}, 200},
                {"and doesn't act", {PEER_TLS, PAUSE, UNKNOWN, HOST, .certificate = "reader"}, 403},
                {"a wrong token isn't mended by a certificate",
                 {PEER_TLS, PAUSE, UNKNOWN, HOST, .certificate = "ops", .authorization = "Bearer x"},
                 401},
        };
        CHECK(rules);
        assert_int_equal(looked_up, 0); /* an address elsewhere has no user here */
        decide(&rules[3].ask);
        assert_string_equal(caller.name, "token deploy-bot");
        decide(&rules[10].ask);
        assert_string_equal(caller.name, "certificate ops");
}

/* ---- browsers ---- */

static void test_only_our_names_are_answered(UNUSED void **state) {
        static const struct {
                const char *host;
                int status;
        } hosts[] = {
                {"localhost", 200},
                {"localhost:8080", 200},
                {"LOCALHOST:8080", 200},
                {"127.0.0.1", 200},
                {"127.0.0.1:8080", 200},
                {"[::1]:8080", 200},
                {"[::1]", 200},
                {"novacron.example", 200},
                {"novacron.example:8080", 200},
                {"localhost:8081", 421},
                {"localhost:", 421},
                {"localhost:8080:8080", 421},
                {"evil.example", 421},
                {"evil.example:8080", 421},
                {"localhost.evil.example:8080", 421},
                {"novacron.example.", 421},
                {"xnovacron.example", 421},
                {"localhost:8080@evil.example", 421},
                {"127.0.0.1.evil.com", 421},
                {"::1", 421},
                {"[::1", 421},
                {"[127.0.0.1]:8080", 421},
                {" localhost", 421},
                {"localhost ", 421},
                {"10.0.0.3", 421},
                {"localhost/evil.example", 421},
                {"", 400},
                {NULL, 400},
                {"[", 421},
                {"]", 421},
                {":8080", 421},
                {"[]:8080", 421},
        };
        for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
                Ask ask = {PEER_LOOPBACK, STATUS, ROOT, .host = hosts[i].host};
                int status = decide(&ask);
                if (status != hosts[i].status)
                        fail_msg("Host '%s': %d instead of %d", hosts[i].host ? hosts[i].host : "(none)", status,
                                 hosts[i].status);
                ask.method = "POST", ask.pattern = "/api/v3/deployment/pause";
                assert_int_equal(decide(&ask), hosts[i].status);
        }
        const Ask by_address = {PEER_TLS, "GET", "/api/v3/health", UNKNOWN, .host = "10.0.0.3:8080"};
        assert_int_equal(decide(&by_address), 200);
        const Ask twice = {PEER_LOOPBACK, STATUS, ROOT, HOST, .doubled = true};
        assert_int_equal(decide(&twice), 400);
}

#define OURS .origin = "http://localhost:8080"

static void test_pages_of_other_sites_can_do_nothing(UNUSED void **state) {
        static const Rule rules[] = {
                {"a form elsewhere", {PEER_LOOPBACK, PAUSE, ROOT, HOST, .origin = "http://evil.example"}, 403},
                {"even reading", {PEER_LOOPBACK, STATUS, ROOT, HOST, .origin = "http://evil.example"}, 403},
                {"even the health",
                 {PEER_LOOPBACK, "GET", "/api/v3/health", ROOT, HOST, .origin = "http://evil.example"},
                 403},
                {"a sandboxed page", {PEER_LOOPBACK, PAUSE, ROOT, HOST, .origin = "null"}, 403},
                {"an empty origin", {PEER_LOOPBACK, PAUSE, ROOT, HOST, .origin = ""}, 403},
                {"another port of this machine",
                 {PEER_LOOPBACK, PAUSE, ROOT, HOST, .origin = "http://localhost:9090"},
                 403},
                {"another name of ours", {PEER_LOOPBACK, STATUS, ROOT, HOST, .origin = "http://127.0.0.1:8080"}, 403},
                {"another scheme", {PEER_LOOPBACK, STATUS, ROOT, HOST, .origin = "https://localhost:8080"}, 403},
                {"a longer name", {PEER_LOOPBACK, STATUS, ROOT, HOST, .origin = "http://localhost:80800"}, 403},
                {"a name in front", {PEER_LOOPBACK, STATUS, ROOT, HOST, .origin = "http://x@localhost:8080"}, 403},
                {"ours, reading", {PEER_LOOPBACK, STATUS, ROOT, HOST, OURS}, 200},
                {"cross-site", {PEER_LOOPBACK, STATUS, ROOT, HOST, .site = "cross-site"}, 403},
                {"same-site is another port", {PEER_LOOPBACK, STATUS, ROOT, HOST, .site = "same-site"}, 403},
                {"same-origin", {PEER_LOOPBACK, STATUS, ROOT, HOST, .site = "same-origin"}, 200},
                {"typed", {PEER_LOOPBACK, "GET", "/", ROOT, HOST, .site = "none"}, 200},
                {"a link to the page",
                 {PEER_LOOPBACK, "GET", "/", ROOT, HOST, .site = "cross-site", .mode = "navigate", .dest = "document"},
                 200},
                {"the page in a frame",
                 {PEER_LOOPBACK, "GET", "/", ROOT, HOST, .site = "cross-site", .mode = "navigate", .dest = "iframe"},
                 403},
                {"the page fetched",
                 {PEER_LOOPBACK, "GET", "/", ROOT, HOST, .site = "cross-site", .mode = "no-cors"},
                 403},
                {"a link to something else",
                 {PEER_LOOPBACK, STATUS, ROOT, HOST, .site = "cross-site", .mode = "navigate", .dest = "document"},
                 403},
                {"a form's navigation",
                 {PEER_LOOPBACK, PAUSE, ROOT, HOST, .site = "cross-site", .mode = "navigate", .dest = "document"},
                 403},
                {"a token doesn't mend it",
                 {PEER_TLS, PAUSE, UNKNOWN, HOST, .origin = "https://evil.example",
                  .authorization = "Bearer " TOKEN_ACT},
                 403},
                {"a session elsewhere", {PEER_LOOPBACK, SESSION, ROOT, HOST, .origin = "http://evil.example"}, 403},
        };
        CHECK(rules);
        assert_int_equal(looked_up, 0); /* refused before anything is asked */
}

static void test_acting_from_a_browser_needs_a_session(UNUSED void **state) {
        const char *cookie = begin_session(&(Ask){PEER_LOOPBACK, SESSION, ROOT, HOST, OURS, .site = "same-origin"});
        const Rule rules[] = {
                {"no session", {PEER_LOOPBACK, PAUSE, ROOT, HOST, OURS, .session_header = "1"}, 401},
                {"seen by Sec-Fetch alone",
                 {PEER_LOOPBACK, PAUSE, ROOT, HOST, .site = "same-origin", .session_header = "1"},
                 401},
                {"seen by a cookie alone",
                 {PEER_LOOPBACK, PAUSE, ROOT, HOST, .cookie = "a=b", .session_header = "1"},
                 401},
                {"a session", {PEER_LOOPBACK, PAUSE, ROOT, HOST, OURS, .cookie = cookie, .session_header = "1"}, 200},
                {"without the header", {PEER_LOOPBACK, PAUSE, ROOT, HOST, OURS, .cookie = cookie}, 403},
                {"another user's connection",
                 {PEER_LOOPBACK, PAUSE, NOBODY, HOST, OURS, .cookie = cookie, .session_header = "1"},
                 401},
                {"a member's connection",
                 {PEER_LOOPBACK, PAUSE, 5, HOST, OURS, .cookie = cookie, .session_header = "1"},
                 401},
                {"an unknown connection",
                 {PEER_LOOPBACK, PAUSE, UNKNOWN, HOST, OURS, .cookie = cookie, .session_header = "1"},
                 401},
                {"over TLS it is nothing",
                 {PEER_TLS, PAUSE, UNKNOWN, HOST, .origin = "https://localhost:8080", .cookie = cookie,
                  .session_header = "1"},
                 401},
                {"a token without a session, from a page",
                 {PEER_TLS, PAUSE, UNKNOWN, HOST, .origin = "https://localhost:8080",
                  .authorization = "Bearer " TOKEN_ACT, .session_header = "1"},
                 401},
                {"from elsewhere, with the cookie",
                 {PEER_LOOPBACK, PAUSE, ROOT, HOST, .origin = "http://evil.example", .cookie = cookie,
                  .session_header = "1"},
                 403},
                {"a wrong cookie",
                 {PEER_LOOPBACK, PAUSE, ROOT, HOST, OURS, .cookie = SESSION_COOKIE "=x", .session_header = "1"},
                 401},
                {"an empty cookie",
                 {PEER_LOOPBACK, PAUSE, ROOT, HOST, OURS, .cookie = SESSION_COOKIE "=", .session_header = "1"},
                 401},
        };
        CHECK(rules);
        assert_int_equal(decide(&rules[3].ask), 200);
        assert_string_equal(caller.name, "root (uid 0)");
        assert_non_null(strstr(caller.whence, ", session"));
        char twice[220];
        snprintf(twice, sizeof twice, "%s; " SESSION_COOKIE "=another", cookie);
        Ask ask = rules[3].ask;
        ask.cookie = twice; /* one that another port of this machine has set, too */
        assert_int_equal(decide(&ask), 401);
        /* who may only look can't act in a session either */
        const char *lookers = begin_session(&(Ask){PEER_LOOPBACK, SESSION, NOBODY, HOST, OURS});
        assert_int_equal(
                decide(&(Ask){PEER_LOOPBACK, PAUSE, NOBODY, HOST, OURS, .cookie = lookers, .session_header = "1"}),
                403);
}

#define OURS_TLS .origin = "https://localhost:8080"

static void test_a_token_s_session_ends_with_the_token(UNUSED void **state) {
        const char *cookie =
                begin_session(&(Ask){PEER_TLS, SESSION, UNKNOWN, HOST, OURS_TLS, .authorization = "Bearer " TOKEN_ACT});
        const char *readers = begin_session(
                &(Ask){PEER_TLS, SESSION, UNKNOWN, HOST, OURS_TLS, .authorization = "Bearer " TOKEN_READ});
        const Ask act = {PEER_TLS, PAUSE, UNKNOWN, HOST, OURS_TLS, .cookie = cookie, .session_header = "1"};
        const Ask look = {PEER_TLS, STATUS, UNKNOWN, HOST, .site = "same-origin", .cookie = readers};
        assert_int_equal(decide(&act), 200);
        assert_int_equal(decide(&look), 200); /* as an event stream, which can't send a token */
        assert_int_equal(
                decide(&(Ask){PEER_TLS, PAUSE, UNKNOWN, HOST, OURS_TLS, .cookie = readers, .session_header = "1"}),
                403);
        now += MINUTE; /* asked about, it doesn't begin anew */
        assert_int_equal(decide(&(Ask){PEER_TLS, SESSION, UNKNOWN, HOST, OURS_TLS, .cookie = cookie}), 200);
        assert_true(owner.left_us == SESSION_LIFE_US - MINUTE);
        assert_string_equal(caller.name, "token deploy-bot");
        write_tokens(line_of("deploy-bot", "read", TOKEN_ACT), 0600);
        assert_int_equal(decide(&act), 403);
        assert_int_equal(decide(&look), 401);
        write_tokens("", 0600);
        assert_int_equal(decide(&act), 401);
}

/* A cookie knows no port: another program of this machine may have been sent it. */
static void test_a_token_s_session_is_its_user_s_on_loopback(UNUSED void **state) {
        const char *cookie =
                begin_session(&(Ask){PEER_LOOPBACK, SESSION, NOBODY, HOST, OURS, .authorization = "Bearer " TOKEN_ACT});
        Ask act = {PEER_LOOPBACK, PAUSE, NOBODY, HOST, OURS, .cookie = cookie, .session_header = "1"};
        assert_int_equal(decide(&act), 200);
        Ask again = {PEER_LOOPBACK, SESSION, NOBODY, HOST, OURS, .cookie = cookie};
        assert_int_equal(decide(&again), 200);
        assert_string_equal(caller.name, "token deploy-bot");
        again.uid = 1; /* somebody else's is his own */
        assert_int_equal(decide(&again), 200);
        assert_string_equal(caller.name, "daemon (uid 1)");
        act.uid = 1;
        assert_int_equal(decide(&act), 401);
        act.uid = UNKNOWN;
        assert_int_equal(decide(&act), 401);
}

static void test_a_certificate_s_session_needs_the_certificate(UNUSED void **state) {
        const char *cookie = begin_session(&(Ask){PEER_TLS, SESSION, UNKNOWN, HOST, OURS_TLS, .certificate = "ops"});
        Ask act = {PEER_TLS,         PAUSE,
                   UNKNOWN,          HOST,
                   OURS_TLS,         .certificate = "ops",
                   .cookie = cookie, .session_header = "1"};
        assert_int_equal(decide(&act), 200);
        act.certificate = "other";
        assert_int_equal(decide(&act), 401);
        act.certificate = NULL;
        assert_int_equal(decide(&act), 401);
}

/* ---- sessions ---- */

static void test_sessions_end(UNUSED void **state) {
        SessionTable *table = &access_->sessions;
        const SessionOwner root = {.may_act = true};
        char id[SESSION_ID_MAX], other[SESSION_ID_MAX];
        assert_true(session_begin(table, &root, now, id));
        assert_true(strlen(id) >= 43); /* 256 bits */
        assert_true(session_begin(table, &root, now, other));
        assert_string_not_equal(id, other);
        int64_t begun = now;
        assert_non_null(session_use(table, id, begun + SESSION_IDLE_US - 1));
        assert_non_null(session_use(table, id, begun + 2 * SESSION_IDLE_US - 2));
        assert_null(session_use(table, id, begun + 3 * SESSION_IDLE_US - 2));
        assert_null(session_use(table, other, begun + SESSION_IDLE_US));
        assert_true(session_begin(table, &root, begun, id));
        for (int64_t t = begun; t < begun + SESSION_LIFE_US; t += SESSION_IDLE_US / 2)
                assert_non_null(session_use(table, id, t));
        assert_null(session_use(table, id, begun + SESSION_LIFE_US));
        assert_true(session_begin(table, &root, now, id));
        session_end(table, id);
        assert_null(session_use(table, id, now));
        session_end(table, id);
}

static void test_sessions_are_bounded(UNUSED void **state) {
        SessionTable *table = &access_->sessions;
        const SessionOwner actor = {.may_act = true}, looker = {.may_act = false};
        char first[SESSION_ID_MAX], id[SESSION_ID_MAX];
        assert_true(session_begin(table, &actor, now, first));
        for (int i = 0; i < 3 * SESSIONS_MAX; i++)
                assert_true(session_begin(table, &looker, now + 1 + i, id));
        assert_non_null(session_use(table, first, now + 2)); /* who may only look can't push it out */
        for (int i = 0; i < SESSIONS_MAX - 1; i++)
                assert_true(session_begin(table, &actor, now + 1000 + i, id));
        assert_false(session_begin(table, &looker, now + 2000, id));
        assert_non_null(session_use(table, first, now + 2000));
        assert_true(session_begin(table, &actor, now + 2001, id)); /* the one idle longest goes */
        assert_non_null(session_use(table, first, now + 2001));
}

/* ---- guessing ---- */

static void test_guessing_is_slow(UNUSED void **state) {
        const Ask wrong = {PEER_TLS, STATUS, UNKNOWN, HOST, .authorization = "Bearer guess"};
        const Ask right = {PEER_TLS, STATUS, UNKNOWN, HOST, .authorization = "Bearer " TOKEN_ACT};
        for (int i = 0; i < GUESSES_MAX; i++)
                assert_int_equal(decide(&wrong), 401);
        assert_int_equal(decide(&wrong), 429);
        assert_int_equal(decide(&right), 429); /* else guessing would go on */
        /* on this machine it is the user who guesses, not the address */
        Ask local = {PEER_LOOPBACK, STATUS, NOBODY, HOST, .authorization = "Bearer guess"};
        for (int i = 0; i < GUESSES_MAX; i++)
                assert_int_equal(decide(&local), 401);
        assert_int_equal(decide(&local), 429);
        local.uid = 1;
        assert_int_equal(decide(&local), 401);
        now += GUESSES_WINDOW_US;
        assert_int_equal(decide(&right), 200);
        Guesses *guesses = &access_->guesses;
        for (int i = 0; i < 3 * GUESSES_SOURCES; i++) {
                char key[GUESSES_KEY_MAX];
                snprintf(key, sizeof key, "10.0.%d.%d", i / 256, i % 256);
                guesses_failed(guesses, key, now + i);
        }
        for (int i = 0; i < GUESSES_MAX; i++)
                guesses_failed(guesses, "10.9.9.9", now + 10000 + i);
        assert_int_equal(guesses_wait_s(guesses, "10.9.9.9", now + 20000), 60);
        assert_int_equal(guesses_wait_s(guesses, "10.9.9.9", now + 10000 + GUESSES_WINDOW_US), 0);
}

/* ---- the tokens file ---- */

static const char *problem_now(void) {
        return access_tokens_problem(access_);
}

static bool token_works(const char *token) {
        char header[100];
        snprintf(header, sizeof header, "Bearer %s", token);
        now += GUESSES_WINDOW_US;
        return decide(&(Ask){PEER_TLS, STATUS, UNKNOWN, HOST, .authorization = header}) == 200;
}

static void test_a_bad_tokens_file_leaves_the_old_tokens(UNUSED void **state) {
        char name[80], text[800];
        memset(name, 'a', sizeof name);
        name[sizeof name - 1] = '\0';
        snprintf(text, sizeof text, "%s act 00", name);
        const struct {
                const char *line, *says;
        } bad[] = {
                {"x act", "a line is: NAME read|act HASH"},
                {"x act 00 more", "a line is: NAME read|act HASH"},
                {"x write 00", "'read' or 'act'"},
                {"x act 00", "64 hexadecimal digits"},
                {"x act zz", "64 hexadecimal digits"},
                {"X act 00", "a name is made of"},
                {text, "a name is made of"},
                {line_of("deploy-bot", "act", "x"), "there already"},
                {line_of("another", "act", TOKEN_ACT), "there already"},
        };
        assert_string_equal(problem_now(), "");
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                char file[1200];
                snprintf(file, sizeof file, "%s# a comment\n%s\n", line_of("deploy-bot", "act", TOKEN_ACT),
                         bad[i].line);
                write_tokens(file, 0600);
                if (!strstr(problem_now(), bad[i].says) || !strstr(problem_now(), "tokens:3: "))
                        fail_msg("'%s': %s", bad[i].line, problem_now());
                assert_true(token_works(TOKEN_ACT));
                assert_true(token_works(TOKEN_READ)); /* as it was */
        }
        usual_tokens();
        assert_string_equal(problem_now(), "");
}

static void test_who_could_change_the_tokens_file(UNUSED void **state) {
        char text[600];
        snprintf(text, sizeof text, "%s", line_of("new", "act", "nvr_new"));
        const struct {
                mode_t mode;
                const char *says;
        } modes[] = {{0604, "chmod go="},
                     {0620, "chmod go="},
                     {0602, "chmod go="},
                     {0666, "chmod go="},
                     {0644, "chmod go="}};
        for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
                write_tokens(text, modes[i].mode);
                if (!strstr(problem_now(), modes[i].says))
                        fail_msg("mode %04o: %s", modes[i].mode, problem_now());
                assert_false(token_works("nvr_new"));
                assert_true(token_works(TOKEN_ACT));
        }
        write_tokens(text, 0640); /* our own group may read it */
        assert_string_equal(problem_now(), "");
        assert_true(token_works("nvr_new"));
        assert_false(token_works(TOKEN_ACT));
        if (geteuid() == 0) {
                assert_int_equal(chown(tokens_path, NOBODY, 0), 0);
                assert_non_null(strstr(problem_now(), "chown 0"));
                /* root's, and we are not: to close it would lock us out */
                assert_int_equal(chmod(directory, 0755), 0);
                static const mode_t roots[] = {0644, 0640, 0600};
                for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
                        write_tokens(text, roots[i]);
                        assert_int_equal(setegid(NOBODY) | seteuid(NOBODY), 0);
                        const char *says = problem_now();
                        assert_int_equal(seteuid(0) | setegid(0), 0);
                        if (!strstr(says, "chgrp 65534 ") || !strstr(says, "chmod 640 "))
                                fail_msg("root's, mode %04o: %s", roots[i], says);
                }
        }
        assert_int_equal(unlink(tokens_path), 0);
        assert_int_equal(mkfifo(tokens_path, 0600), 0);
        assert_non_null(strstr(problem_now(), "not a regular file"));
        assert_true(token_works("nvr_new"));
        assert_int_equal(unlink(tokens_path), 0);
        assert_non_null(strstr(problem_now(), "no token is accepted")); /* taken away, not broken */
        assert_false(token_works("nvr_new"));
}

static void test_a_made_token_is_accepted(UNUSED void **state) {
        char token[TOKEN_TEXT_MAX], line[TOKEN_LINE_MAX], again[TOKEN_TEXT_MAX];
        Error error = {0};
        assert_int_equal(token_make("ci", true, again, line, &error), 0);
        assert_int_equal(token_make("ci", true, token, line, &error), 0);
        assert_string_not_equal(token, again);
        assert_int_equal(strlen(token), 47); /* nvr_ and 256 bits, six in a character */
        assert_null(strstr(line, token + 4));
        write_tokens(line, 0600); /* without a line's end, too */
        assert_true(token_works(token));
        assert_int_equal(token_make("two words", true, token, line, &error), -EINVAL);
        assert_int_equal(token_make("", true, token, line, &error), -EINVAL);
}

static int make_directory(UNUSED void **state) {
        if (!mkdtemp(directory))
                return -1;
        snprintf(tokens_path, sizeof tokens_path, "%s/tokens", directory);
        return 0;
}

static int remove_directory(UNUSED void **state) {
        (void)unlink(tokens_path);
        return rmdir(directory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_health_addresses_answer_the_health_alone),
                TEST(test_the_unix_socket),
                TEST(test_loopback_knows_the_user),
                TEST(test_readers_may_be_the_group_alone),
                TEST(test_tls_wants_a_token_or_a_certificate),
                TEST(test_only_our_names_are_answered),
                TEST(test_pages_of_other_sites_can_do_nothing),
                TEST(test_acting_from_a_browser_needs_a_session),
                TEST(test_a_token_s_session_ends_with_the_token),
                TEST(test_a_token_s_session_is_its_user_s_on_loopback),
                TEST(test_a_certificate_s_session_needs_the_certificate),
                TEST(test_sessions_end),
                TEST(test_sessions_are_bounded),
                TEST(test_guessing_is_slow),
                TEST(test_a_bad_tokens_file_leaves_the_old_tokens),
                TEST(test_who_could_change_the_tokens_file),
                TEST(test_a_made_token_is_accepted),
        };
        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
