/* etcd's answers as 3.4 gives them, and the many ways in which they aren't. */
#include "adapters/etcd-text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEADER                                                                                                         \
        "\"header\":{\"cluster_id\":\"12398315720899845243\",\"member_id\":\"579929633085870864\",\"raft_term\":\"2\"}"
#define MEMBERS                                                                                                        \
        "{" HEADER ",\"members\":["                                                                                    \
        "{\"ID\":\"10712403027532605062\",\"name\":\"n2\",\"peerURLs\":[\"http://127.0.0.1:23802\"],"                  \
        "\"clientURLs\":[\"http://127.0.0.1:23792\",\"unix://etcd\",\"https://n2:2379/\"]},"                           \
        "{\"ID\":\"5672030584469862447\",\"peerURLs\":[\"http://127.0.0.1:23803\"],\"isLearner\":true},"               \
        "{\"ID\":\"579929633085870864\",\"name\":\"n1\",\"peerURLs\":[\"http://127.0.0.1:23801\"],"                    \
        "\"clientURLs\":[\"http://127.0.0.1:23791\"]}]}"
#define STATUS                                                                                                          \
        "{\"header\":{\"cluster_id\":\"12398315720899845243\",\"member_id\":\"579929633085870864\",\"revision\":\"5\"," \
        "\"raft_term\":\"2\"},\"version\":\"3.4.23\",\"dbSize\":\"20480\",\"leader\":\"10712403027532605062\","         \
        "\"raftIndex\":\"13\",\"raftTerm\":\"2\",\"raftAppliedIndex\":\"12\",\"dbSizeInUse\":\"16384\"}"
#define HASH "{\"header\":{\"revision\":5},\"hash\":4090769097,\"compact_revision\":4}"

/* `text` with the first `old` in it replaced. */
static const char *change(const char *text, const char *old, const char *new) {
        static char buffer[4096];
        const char *at = strstr(text, old);
        assert_non_null(at);
        snprintf(buffer, sizeof buffer, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
        return buffer;
}

static void test_members(void **state) {
        (void)state;
        EtcdMembers members;
        Error error = {0};
        assert_int_equal(etcd_parse_members(MEMBERS, strlen(MEMBERS), &members, &error), 0);
        assert_int_equal(members.cluster, UINT64_C(12398315720899845243));
        assert_int_equal(members.count, 3);
        assert_string_equal(members.members[0].name, ""); /* never started, and so without a name */
        assert_true(members.members[0].learner);
        assert_int_equal(members.members[0].client_count, 0);
        assert_string_equal(members.members[1].name, "n1");
        assert_string_equal(members.members[2].name, "n2");
        assert_false(members.members[2].learner);
        assert_int_equal(members.members[2].id, UINT64_C(10712403027532605062));
        assert_int_equal(members.members[2].client_count, 2);
        assert_string_equal(members.members[2].client_urls[0], "http://127.0.0.1:23792");
        assert_string_equal(members.members[2].client_urls[1], "https://n2:2379");
        assert_string_equal(members.members[2].peer_urls[0], "http://127.0.0.1:23802");
}

static void refused_members(const char *text, const char *says) {
        EtcdMembers members = {.count = 77};
        Error error = {0};
        assert_int_equal(etcd_parse_members(text, strlen(text), &members, &error), -EBADMSG);
        assert_int_equal(members.count, 77);
        if (!strstr(error.message, says))
                fail_msg("'%s' doesn't say '%s'", error.message, says);
}

static void test_no_members(void **state) {
        (void)state;
        refused_members("", "not a JSON answer");
        refused_members("<html>", "not a JSON answer");
        refused_members("[1]", "not a JSON object");
        refused_members("{}", "no 'header'");
        refused_members("{\"header\":[]}", "no 'header'");
        refused_members("{" HEADER "}", "no 'members'");
        refused_members("{" HEADER ",\"members\":[]}", "no 'members'");
        refused_members("{" HEADER ",\"members\":{}}", "no 'members'");
        refused_members("{" HEADER ",\"members\":[1]}", "isn't one");
        refused_members(change(MEMBERS, "\"n2\"", "7"), "isn't one");
        refused_members(change(MEMBERS, "true", "1"), "isn't one");
        refused_members(change(MEMBERS, "10712403027532605062", "579929633085870864"), "twice");
        refused_members(change(MEMBERS, "10712403027532605062", "18446744073709551616"), "'ID' isn't a number");
        refused_members(change(MEMBERS, "10712403027532605062", "-1"), "'ID' isn't a number");
        refused_members(change(MEMBERS, "10712403027532605062", " 1"), "'ID' isn't a number");
        refused_members(change(MEMBERS, "10712403027532605062", ""), "'ID' isn't a number");
        refused_members(change(MEMBERS, "10712403027532605062", "0"), "no 'ID'");
        refused_members(change(MEMBERS, "12398315720899845243", "0"), "no 'cluster_id'");
        refused_members(change(MEMBERS, "[\"http://127.0.0.1:23802\"]", "\"x\""), "'peerURLs' isn't a list");
        refused_members(change(MEMBERS, "\"name\"", "\"ID\""), "not a JSON answer"); /* a key that is there twice */
}

static void test_ten_members_are_too_many(void **state) {
        (void)state;
        char text[1024] = "{" HEADER ",\"members\":[";
        for (int i = 1; i <= 10; i++)
                snprintf(text + strlen(text), sizeof text - strlen(text), "%s{\"ID\":\"%d\"}", i > 1 ? "," : "", i);
        snprintf(text + strlen(text), sizeof text - strlen(text), "]}");
        refused_members(text, "10 members");
}

static void test_urls_that_nothing_can_be_put_behind(void **state) {
        (void)state;
        static const char *const bad[] = {"http://",    "http:///",           "ftp://a",         "127.0.0.1:2379",
                                          "",           "http://user@a:1",    "http://a/path",   "http://a?q=1",
                                          "http://a b", "http://a\\nHost: b", "http://a\\u00e9", "https://a#f"};
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
                EtcdMembers members;
                Error error = {0};
                const char *text = change(MEMBERS, "http://127.0.0.1:23791", bad[i]);
                assert_int_equal(etcd_parse_members(text, strlen(text), &members, &error), 0);
                if (members.members[1].client_count != 0)
                        fail_msg("'%s' was taken as '%s'", bad[i], members.members[1].client_urls[0]);
        }
        char host[200] = "http://";
        memset(host + 7, 'a', sizeof host - 8);
        host[sizeof host - 1] = '\0';
        EtcdMembers members;
        Error error = {0};
        const char *text = change(MEMBERS, "http://127.0.0.1:23791", host);
        assert_int_equal(etcd_parse_members(text, strlen(text), &members, &error), 0);
        assert_int_equal(members.members[1].client_count, 0);
}

static void test_status(void **state) {
        (void)state;
        EtcdStatus status;
        Error error = {0};
        assert_int_equal(etcd_parse_status(STATUS, strlen(STATUS), &status, &error), 0);
        assert_int_equal(status.cluster, UINT64_C(12398315720899845243));
        assert_int_equal(status.member, UINT64_C(579929633085870864));
        assert_int_equal(status.leader, UINT64_C(10712403027532605062));
        assert_int_equal(status.term, 2);
        assert_int_equal(status.revision, 5);
        assert_int_equal(status.applied, 12);
        const char *leaderless = change(STATUS, "\"leader\":\"10712403027532605062\",", ""); /* zero is left out */
        assert_int_equal(etcd_parse_status(leaderless, strlen(leaderless), &status, &error), 0);
        assert_int_equal(status.leader, 0);
}

static void refused_status(const char *text, const char *says) {
        EtcdStatus status = {.term = 77};
        Error error = {0};
        assert_int_equal(etcd_parse_status(text, strlen(text), &status, &error), -EBADMSG);
        assert_int_equal(status.term, 77);
        if (!strstr(error.message, says))
                fail_msg("'%s' doesn't say '%s'", error.message, says);
}

static void test_no_status(void **state) {
        (void)state;
        refused_status("{}", "no 'header'");
        refused_status(change(STATUS, "\"revision\":\"5\"", "\"revision\":\"9223372036854775808\""), "'revision' is");
        refused_status(change(STATUS, "\"revision\":\"5\",", ""), "no 'revision'");
        refused_status(change(STATUS, "\"raftAppliedIndex\":\"12\",", ""), "no 'raftAppliedIndex'");
        refused_status(change(STATUS, "\"raftTerm\":\"2\",", ""), "no 'raftTerm'");
        refused_status(change(STATUS, "\"579929633085870864\"", "\"0\""), "no 'member_id'");
        refused_status(change(STATUS, "\"raftTerm\":\"2\"", "\"raftTerm\":2.5"), "'raftTerm' isn't a number");
        refused_status(change(STATUS, "\"raftTerm\":\"2\"", "\"raftTerm\":-2"), "'raftTerm' isn't a number");
        refused_status(change(STATUS, "\"raftTerm\":\"2\"", "\"raftTerm\":null"), "'raftTerm' isn't a number");
}

static void test_hash(void **state) {
        (void)state;
        EtcdHash hash;
        Error error = {0};
        assert_int_equal(etcd_parse_hash(HASH, strlen(HASH), &hash, &error), 0);
        assert_int_equal(hash.hash, 4090769097);
        assert_int_equal(hash.compact_revision, 4);
        const char *never = change(HASH, ":4}", ":-1}");
        assert_int_equal(etcd_parse_hash(never, strlen(never), &hash, &error), 0);
        assert_int_equal(hash.compact_revision, 0);
        static const char *const bad[] = {"{}", "{\"hash\":4294967296}", "{\"hash\":-1}", "{\"hash\":\"x\"}",
                                          "{\"hash\":1,\"compact_revision\":-2}"};
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
                assert_int_equal(etcd_parse_hash(bad[i], strlen(bad[i]), &hash, &error), -EBADMSG);
}

static void test_refusals(void **state) {
        (void)state;
        char said[32];
        const char *gateway = "{\"error\":\"etcdserver: not leader\",\"message\":\"x\",\"code\":9}";
        etcd_parse_refusal(gateway, strlen(gateway), said, sizeof said);
        assert_string_equal(said, "etcdserver: not leader");
        const char *peer = "mvcc: compacted\nsecond line";
        etcd_parse_refusal(peer, strlen(peer), said, sizeof said);
        assert_string_equal(said, "mvcc: compacted");
        etcd_parse_refusal("a\x01\xff", 3, said, sizeof said);
        assert_string_equal(said, "a ?");
        etcd_parse_refusal("", 0, said, sizeof said);
        assert_string_equal(said, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_members),
                cmocka_unit_test(test_no_members),
                cmocka_unit_test(test_ten_members_are_too_many),
                cmocka_unit_test(test_urls_that_nothing_can_be_put_behind),
                cmocka_unit_test(test_status),
                cmocka_unit_test(test_no_status),
                cmocka_unit_test(test_hash),
                cmocka_unit_test(test_refusals),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
