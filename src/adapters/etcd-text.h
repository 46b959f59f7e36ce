/* What etcd answers over its JSON gateway, and its peers' /members/hashkv: the few numbers we need. Pure. 64-bit numbers come as
 * strings (the peers send plain ones), fields that are zero are left out. Whatever isn't such an answer is refused as a
 * whole: half an answer is no evidence. */
#pragma once

#include "base/error.h"
#include "core/types.h"

#define ETCD_URLS_MAX 4
#define ETCD_URL_SIZE sizeof(((ConsensusMember *)0)->address)

typedef struct EtcdMember {
        uint64_t id;
        char name[sizeof(((ConsensusMember *)0)->name)]; /* "" until it was started for the first time */
        bool learner;
        unsigned client_count, peer_count;
        /* http:// or https://, without a slash at the end; what doesn't fit or is no such URL is left out */
        char client_urls[ETCD_URLS_MAX][ETCD_URL_SIZE];
        char peer_urls[ETCD_URLS_MAX][ETCD_URL_SIZE];
} EtcdMember;

typedef struct EtcdMembers {
        uint64_t cluster;
        unsigned count;
        EtcdMember members[MEMBERS_MAX]; /* by name, so that they keep their places */
} EtcdMembers;

typedef struct EtcdStatus {
        uint64_t cluster, member, term, leader; /* leader 0: it knows none */
        int64_t revision, applied;
} EtcdStatus;

typedef struct EtcdHash {
        int64_t compact_revision; /* 0: never compacted */
        uint32_t hash;
} EtcdHash;

/* `size` bytes of any kind. 0, or -EBADMSG: `error` says what is wrong with it. */
int etcd_parse_members(const char *text, size_t size, EtcdMembers *ret_members, Error *error);
int etcd_parse_status(const char *text, size_t size, EtcdStatus *ret_status, Error *error);
int etcd_parse_hash(const char *text, size_t size, EtcdHash *ret_hash, Error *error);

/* What an answer that isn't 200 says, in one line: the gateway's {"error":"etcdserver: not leader"}, or the text itself. */
void etcd_parse_refusal(const char *text, size_t size, char *buffer, size_t buffer_size);
