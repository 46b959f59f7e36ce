#include "api/access-decide.h"

#include "api/groups.h"
#include "api/problem.h"
#include "api/session.h"
#include "base/exit-codes.h"
#include "base/users.h"

#include <string.h>
#include <strings.h>

/* One request being decided. */
typedef struct Case {
        Access *access;
        const AccessRequest *request;
        const Route *route;
        Caller *caller;
        SessionOwner *owner;
        Problem *problem;
        Error *unasked; /* why the kernel couldn't be asked whose connection it is */
} Case;

/* ---- refusals ---- */

static int not_known(const Case *c) {
        if (c->request->kind == PEER_TLS)
                return problem_set(
                        c->problem, 401, EXIT_PERMISSION, "Who are you?",
                        "show a token (Authorization: Bearer ...; 'auto-rollback token NAME' makes one) or a client certificate");
        if (c->unasked->code != 0)
                return problem_set(c->problem, 401, EXIT_PERMISSION, "Who are you?",
                                   "%s; show a token (Authorization: Bearer ...), or use the program auto-rollback",
                                   error_text(c->unasked));
        return problem_set(
                c->problem, 401, EXIT_PERMISSION, "Who are you?",
                "the kernel cannot tell whose connection this is: its other end is closed already, or comes out of a container or through "
                "a forwarder; ask on this machine itself (with sudo), and wait for the answer, or show a token (Authorization: Bearer ...)");
}

static int not_allowed(const Case *c) {
        if (c->route->right == RIGHT_ACT)
                return problem_set(
                        c->problem, 403, EXIT_PERMISSION, "Not allowed",
                        "you are %s and may only look; root and members of the configured group may act%s: use sudo",
                        c->caller->name, c->request->kind == PEER_UNIX ? " (a new member must log in again)" : "");
        return problem_set(c->problem, 403, EXIT_PERMISSION, "Not allowed",
                           "you are %s; only who may act may look here (api.readers): use sudo", c->caller->name);
}

static int not_allowed_elsewhere(const Case *c) {
        return problem_set(c->problem, 403, EXIT_PERMISSION, "Not allowed",
                           "%s may look, but not act; its right is in the tokens file or in api.tls_clients",
                           c->caller->name);
}

/* ---- who ---- */

static bool user_may_act(const Access *access, uid_t uid) {
        Error error = {0};
        if (uid == 0 || uid == geteuid())
                return true;
        /* who can't be looked up is no member */
        return access->act_group != (gid_t)-1 && groups_has_user(access->act_group, uid, &error) > 0;
}

static void be_user(const Case *c, uid_t uid) {
        c->caller->uid = uid;
        users_describe(uid, c->caller->name, sizeof c->caller->name);
        c->caller->may_act = user_may_act(c->access, uid);
        c->caller->may_read = c->caller->may_act || !c->access->settings->readers_group;
        *c->owner = (SessionOwner){.by = SESSION_BY_USER, .uid = uid, .may_act = c->caller->may_act};
}

static void be_token(const Case *c, const Token *token, uid_t uid) {
        snprintf(c->caller->name, sizeof c->caller->name, "token %s", token->name);
        c->caller->may_read = true;
        c->caller->may_act = token->may_act;
        *c->owner = (SessionOwner){.by = SESSION_BY_TOKEN, .uid = uid, .may_act = token->may_act};
        memcpy(c->owner->token, token->hash, sizeof c->owner->token);
}

static bool be_certificate(const Case *c) {
        char name[sizeof c->owner->common_name];
        bool may_act = false;
        if (!c->request->certificate || !c->request->certificate(c->request->userdata, name, sizeof name, &may_act))
                return false;
        snprintf(c->caller->name, sizeof c->caller->name, "certificate %s", name);
        c->caller->may_read = true;
        c->caller->may_act = may_act;
        *c->owner = (SessionOwner){.by = SESSION_BY_CERTIFICATE, .uid = (uid_t)-1, .may_act = may_act};
        memcpy(c->owner->common_name, name, sizeof name);
        return true;
}

/* (uid_t)-1 when nobody can say: anonymous. */
static uid_t peer_uid(const Case *c) {
        uid_t uid;
        bool known = c->request->kind == PEER_LOOPBACK && c->request->peer_uid &&
                     c->request->peer_uid(c->request->userdata, &uid, c->unasked) > 0;
        return known ? uid : (uid_t)-1;
}

/* ---- tokens ---- */

/* On this machine all addresses are one: there it is the user who must not guess. */
static void guess_key(const Case *c, uid_t uid, char key[GUESSES_KEY_MAX]) {
        if (c->request->kind == PEER_LOOPBACK && uid != (uid_t)-1)
                snprintf(key, GUESSES_KEY_MAX, "uid %u", uid);
        else
                snprintf(key, GUESSES_KEY_MAX, "%s", c->request->address);
}

static int by_token(const Case *c) {
        static const char scheme[] = "Bearer ";
        char key[GUESSES_KEY_MAX];
        const char *text = c->request->authorization;
        uid_t uid = peer_uid(c);
        guess_key(c, uid, key);
        unsigned wait = guesses_wait_s(&c->access->guesses, key, c->request->now_mono);
        if (wait > 0) {
                problem_add(c->problem, "retry_after_s", json_integer(wait));
                return problem_set(c->problem, 429, EXIT_TRY_LATER, "Too many wrong tokens", "try again in %u s", wait);
        }
        if (strncasecmp(text, scheme, strlen(scheme)) != 0)
                return problem_set(c->problem, 401, EXIT_PERMISSION, "Not a token",
                                   "the header Authorization must say: Bearer TOKEN");
        (void)tokens_look(c->access->tokens, &c->access->tokens_problem); /* told by access_tokens_problem() */
        const Token *token = tokens_find(c->access->tokens, text + strlen(scheme));
        if (token) {
                be_token(c, token, uid);
                return 0;
        }
        guesses_failed(&c->access->guesses, key, c->request->now_mono);
        return problem_set(c->problem, 401, EXIT_PERMISSION, "Not one of our tokens",
                           "this token is not in the tokens file (api.tokens), or not any more");
}

/* ---- sessions ---- */

static const Session *session_of(const Case *c) {
        char id[SESSION_ID_MAX];
        return origin_cookie(&c->request->headers, SESSION_COOKIE, id, sizeof id)
                       ? session_use(&c->access->sessions, id, c->request->now_mono)
                       : NULL;
}

/* The rights its owner has by now. A cookie isn't bound to a port: on this machine somebody else's program may have been sent it. So
 * what not everybody may there also needs the owner's own connection. False: the session is good for nothing here. */
static bool be_session(const Case *c, const Session *session) {
        const SessionOwner owner = session->owner;
        bool local = c->request->kind == PEER_LOOPBACK;
        int64_t ends_mono = session->begun_mono + SESSION_LIFE_US;
        bool guarded =
                c->route->right == RIGHT_ACT || c->route->kind == ROUTE_SESSION || c->access->settings->readers_group;
        size_t length = strlen(c->caller->whence);
        if (guarded && local && peer_uid(c) != owner.uid)
                return false;
        if (owner.by == SESSION_BY_USER) {
                if (!local)
                        return false;
                be_user(c, owner.uid);
        } else if (owner.by == SESSION_BY_TOKEN) {
                (void)tokens_look(c->access->tokens, &c->access->tokens_problem);
                const Token *token = tokens_find_hash(c->access->tokens, owner.token);
                if (!token)
                        return false;
                be_token(c, token, owner.uid);
        } else if (!be_certificate(c) || strcmp(c->owner->common_name, owner.common_name) != 0)
                return false;
        c->owner->left_us = ends_mono - c->request->now_mono;
        snprintf(c->caller->whence + length, sizeof c->caller->whence - length, ", session");
        return true;
}

/* A page's script can send the header only to its own site; a form can't at all. */
static int act_by_browser(const Case *c) {
        const Session *session = session_of(c);
        if (!c->request->session_header)
                return problem_set(c->problem, 403, EXIT_PERMISSION, "Not from our page",
                                   "a browser must send the header " SESSION_HEADER
                                   " to act, as this controller's own page does");
        if (session && be_session(c, session))
                return 0;
        return problem_set(
                c->problem, 401, EXIT_PERMISSION, "No session",
                "acting from a browser needs a session of the same user: POST /api/v3/session begins one, and it has ended or there was none");
}

/* ---- rights ---- */

static int by_itself(const Case *c) {
        if (c->request->authorization)
                return by_token(c);
        if (c->request->kind == PEER_TLS)
                return be_certificate(c) ? 0 : not_known(c);
        uid_t uid = peer_uid(c);
        if (uid == (uid_t)-1)
                return not_known(c);
        be_user(c, uid);
        return 0;
}

static int read_as(const Case *c) {
        bool begins = c->route->kind == ROUTE_SESSION && strcmp(c->route->method, "POST") == 0;
        bool anybody = c->request->kind == PEER_LOOPBACK && !c->access->settings->readers_group;
        if (c->request->authorization)
                return by_token(c);
        const Session *session = session_of(c);
        if (session && be_session(c, session))
                return 0;
        if (anybody && !begins)
                return 0;
        int r = by_itself(c);
        if (r < 0 && anybody && c->problem->status == 401) {
                problem_clear(c->problem);
                return 0; /* it may read, whoever it is */
        }
        return r;
}

static int decide_tcp(const Case *c) {
        const AccessRequest *request = c->request;
        bool page = strcmp(c->route->method, "GET") == 0 && strcmp(c->route->pattern, ACCESS_PAGE) == 0;
        if (request->doubled)
                return problem_set(c->problem, 400, EXIT_USAGE_ERROR, "Contradictory headers",
                                   "Host, Origin, Authorization, Cookie and " SESSION_HEADER " may be sent once each");
        if (origin_check_host(&request->headers, &request->ours, c->problem) < 0 ||
            origin_check_site(&request->headers, &request->ours, page, c->problem) < 0)
                return -1;
        if (c->route->right == RIGHT_ANYBODY)
                return 0;
        if (c->route->right == RIGHT_READ)
                return read_as(c);
        return origin_is_browser(&request->headers) ? act_by_browser(c) : by_itself(c);
}

static bool is_health(const Route *route) {
        static const char health[] = "/api/v3/health";
        size_t length = strlen(health);
        return strcmp(route->method, "GET") == 0 && route->right == RIGHT_ANYBODY &&
               strncmp(route->pattern, health, length) == 0 &&
               (route->pattern[length] == '\0' || route->pattern[length] == '/');
}

int access_decide(Access *access, const AccessRequest *request, const Route *route, Caller *caller,
                  SessionOwner *ret_owner, Problem *problem) {
        *ret_owner = (SessionOwner){.uid = (uid_t)-1};
        Error unasked = {0};
        const Case c = {access, request, route, caller, ret_owner, problem, &unasked};
        if (request->kind == PEER_HEALTH)
                return is_health(route) ? 0
                                        : problem_set(problem, 403, EXIT_PERMISSION, "Not here",
                                                      "this address answers GET /api/v3/health and nothing else");
        if (request->kind != PEER_UNIX && decide_tcp(&c) < 0)
                return -1;
        if (route->right == RIGHT_ANYBODY || (route->right == RIGHT_READ && caller->may_read) ||
            (route->right == RIGHT_ACT && caller->may_act))
                return 0;
        return request->kind == PEER_UNIX || ret_owner->by == SESSION_BY_USER ? not_allowed(&c)
                                                                              : not_allowed_elsewhere(&c);
}
