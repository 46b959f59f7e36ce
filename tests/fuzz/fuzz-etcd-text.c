/* Any bytes as an answer of etcd's: taken whole or refused, and never more than there is room for. */
#include "adapters/etcd-text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_member(const EtcdMember *member) {
        if (member->id == 0 || member->client_count > ETCD_URLS_MAX || member->peer_count > ETCD_URLS_MAX ||
            strnlen(member->name, sizeof member->name) == sizeof member->name)
                abort();
        for (unsigned i = 0; i < member->client_count; i++)
                if (strncmp(member->client_urls[i], "http", 4) != 0 ||
                    strpbrk(member->client_urls[i], " \r\n\"\\@?#") != NULL ||
                    member->client_urls[i][strlen(member->client_urls[i]) - 1] == '/')
                        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        EtcdMembers members;
        EtcdStatus status;
        EtcdHash hash;
        char said[16], *text = malloc(size > 0 ? size : 1); /* not NUL-terminated: reading on is an error */
        if (!text)
                abort();
        memcpy(text, data, size);
        if (etcd_parse_members(text, size, &members, NULL) == 0) {
                if (members.count == 0 || members.count > MEMBERS_MAX)
                        abort();
                for (unsigned i = 0; i < members.count; i++)
                        check_member(&members.members[i]);
        }
        if (etcd_parse_status(text, size, &status, NULL) == 0 &&
            (status.member == 0 || status.revision <= 0 || status.applied <= 0))
                abort();
        if (etcd_parse_hash(text, size, &hash, NULL) == 0 && hash.compact_revision < 0)
                abort();
        etcd_parse_refusal(text, size, said, sizeof said);
        if (strnlen(said, sizeof said) == sizeof said)
                abort();
        free(text);
        return 0;
}
