/* ConsensusDriver "etcd": the members are asked over their JSON gateway, and for their data's hash over the peers' address: the
 * gateway of 3.4 hashes the whole database instead, which differs between sound members. Nothing here writes to the cluster's
 * data. */
#include "adapters/etcd-internal.h"

#include <errno.h>
#include <string.h>

#define ANSWER_MAX ((size_t)256 * 1024)
#define ENDPOINT_MAX 256

static const SettingSpec etcd_settings[] = {
        {"endpoints", SETTING_LIST, NULL, 0, 0, NULL,
         "Client URLs, one or more; the other members are found by asking them"},
        {"hash_interval", SETTING_DURATION, "5s", USEC_PER_SEC, 3600 * USEC_PER_SEC, NULL,
         "The members' data is compared this often; each second while it differs, for a while"},
        {"ca", SETTING_PATH, "", 0, 0, NULL, "Authority that signed the members' certificates, for https"},
        {"certificate", SETTING_PATH, "", 0, 0, NULL, "Our certificate, where the cluster wants one"},
        {"key", SETTING_PATH, "", 0, 0, NULL, "Its key"},
        {0},
};

int64_t etcd_now_us(const Etcd *etcd) {
        uint64_t now = 0;
        (void)sd_event_now(etcd->context.event, CLOCK_BOOTTIME, &now);
        return (int64_t)now;
}

/* ---- the members ---- */

void etcd_remember(Etcd *etcd, const EtcdMembers *members) {
        struct EtcdWay ways[MEMBERS_MAX] = {0};
        for (unsigned i = 0; i < members->count; i++)
                for (unsigned k = 0; k < etcd->members.count; k++)
                        if (members->members[i].id == etcd->members.members[k].id)
                                ways[i] = etcd->ways[k];
        etcd->members = *members;
        memcpy(etcd->ways, ways, sizeof ways);
        etcd->known = true;
        etcd->listed_mono = etcd_now_us(etcd);
}

const char *etcd_client_url(const Etcd *etcd, unsigned member) {
        const EtcdMember *of = &etcd->members.members[member];
        return of->client_count > 0 ? of->client_urls[etcd->ways[member].client % of->client_count] : "";
}

const char *etcd_peer_url(const Etcd *etcd, unsigned member) {
        const EtcdMember *of = &etcd->members.members[member];
        return of->peer_count > 0 ? of->peer_urls[etcd->ways[member].peer % of->peer_count] : "";
}

/* ---- one question ---- */

int etcd_ask(Etcd *etcd, const EtcdQuestion *question, int64_t budget_us, HttpCallback callback, void *userdata,
             HttpCall **ret_call, Error *error) {
        static const char *const headers[] = {"Content-Type: application/json", NULL};
        char url[ENDPOINT_MAX + 64];
        size_t length = strlen(question->base);
        if (length > 0 && question->base[length - 1] == '/')
                length--;
        if (length > ENDPOINT_MAX)
                return error_set(error, -ENAMETOOLONG, "%.60s...: the URL is too long", question->base);
        snprintf(url, sizeof url, "%.*s%s", (int)length, question->base, question->path);
        const char *body = question->body ? question->body : "{}";
        const HttpRequest request = {
                .method = question->method ? question->method : "POST",
                .url = url,
                .headers = headers,
                .body = body,
                .body_size = strlen(body),
                .tls = &etcd->tls,
                .answer_max = ANSWER_MAX,
                .reuse = !question->once,
        };
        return http_begin(etcd->context.http, &request, budget_us, callback, userdata, ret_call, error);
}

int etcd_check_answer(const HttpAnswer *answer, Error *error) {
        char said[160];
        if (answer->code == 0) {
                *error = answer->error;
                return answer->error.code;
        }
        if (answer->code == 200)
                return 0;
        etcd_parse_refusal(answer->body, answer->size, said, sizeof said);
        return error_set(error, -EPROTO, "answered with status %d%s%s", answer->code, said[0] ? ": " : "", said);
}

/* ---- the driver ---- */

static void etcd_close(void *self) {
        free(self);
}

static int check_settings(const Etcd *etcd, Error *error) {
        if (!etcd->endpoints[0])
                return error_set(error, -EINVAL, "consensus.etcd.endpoints: name at least one client URL");
        for (const char *const *endpoint = etcd->endpoints; *endpoint; endpoint++) {
                if (endpoint - etcd->endpoints >= ETCD_ENDPOINTS_MAX)
                        return error_set(error, -EINVAL, "consensus.etcd.endpoints: at most %d are asked",
                                         ETCD_ENDPOINTS_MAX);
                if (strncmp(*endpoint, "http://", 7) != 0 && strncmp(*endpoint, "https://", 8) != 0)
                        return error_set(error, -EINVAL,
                                         "consensus.etcd.endpoints: '%.100s' isn't a URL such as http://10.0.0.1:2379",
                                         *endpoint);
        }
        if ((etcd->tls.certificate[0] == '\0') != (etcd->tls.key[0] == '\0'))
                return error_set(error, -EINVAL, "consensus.etcd: certificate and key belong together: set both");
        return 0;
}

static int etcd_open(const DriverContext *context, const Settings *settings, void **ret_self, Error *error) {
        Etcd *etcd = calloc(1, sizeof *etcd);
        if (!etcd)
                return error_set(error, -ENOMEM, "etcd: out of memory");
        etcd->context = *context;
        etcd->endpoints = settings_list(settings, "endpoints");
        etcd->hash_interval_us = settings_int(settings, "hash_interval");
        etcd->tls = (HttpTls){
                .ca = settings_string(settings, "ca"),
                .certificate = settings_string(settings, "certificate"),
                .key = settings_string(settings, "key"),
        };
        int r = check_settings(etcd, error);
        if (r < 0) {
                free(etcd);
                return r;
        }
        *ret_self = etcd;
        return 0;
}

const ConsensusDriver etcd_consensus_driver = {
        .name = "etcd",
        .settings = etcd_settings,
        .open = etcd_open,
        .close = etcd_close,
        .query = etcd_query,
        .move_leader = etcd_move_leader,
};
