/* The runtime socket's answers, taken from HAProxy 2.6, and what is none. */
#include "adapters/haproxy-text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAD                                                                                                           \
        "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max,check_status,check_code,\n"
#define S1 "app,s1,2,2,3,9,,4711,0,0,,0,,0,0,0,0,UP 1/2,1,1,0,0,0,1,0,,1,3,1,,0,,2,0,,0,L4OK,,0,\n"
#define S2 "app,s2,0,0,0,0,,0,0,0,,0,,0,0,0,0,MAINT,1,1,0,,,1,,,1,3,2,,0,,2,0,,0,,,,\n"
#define BACKEND "app,BACKEND,7,0,5,0,200,0,0,0,0,0,,0,0,0,0,UP,1,1,0,,0,1,0,,1,3,0,,0,,1,0,,0,,,,\n"

static void test_backend(void **state) {
        (void)state;
        HaproxyBackend backend;
        assert_int_equal(haproxy_backend_parse(HEAD S1 S2 BACKEND "\n", &backend, NULL), 0);
        assert_int_equal(backend.count, 2);
        assert_int_equal(backend.queued, 7);
        assert_string_equal(backend.servers[0].name, "s1");
        assert_int_equal(backend.servers[0].state, HAPROXY_UP);
        assert_true(backend.servers[0].checked);
        assert_int_equal(backend.servers[0].in_flight, 5);
        assert_int_equal(backend.servers[0].total, 4711);
        assert_int_equal(backend.servers[1].state, HAPROXY_MAINT);
        assert_false(backend.servers[1].checked);
        haproxy_backend_free(&backend);
}

static void test_states(void **state) {
        (void)state;
        static const struct {
                const char *text;
                HaproxyServerState state;
        } rows[] = {
                {"UP", HAPROXY_UP},           {"UP 1/3", HAPROXY_UP},
                {"no check", HAPROXY_UP},     {"DOWN", HAPROXY_DOWN},
                {"DOWN 1/2", HAPROXY_DOWN},   {"NOLB", HAPROXY_DOWN},
                {"DRAIN 1/2", HAPROXY_DRAIN}, {"MAINT (via app/s2)", HAPROXY_MAINT},
                {"MAINT", HAPROXY_MAINT},
        };
        for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                char text[1024];
                HaproxyBackend backend;
                snprintf(text, sizeof text,
                         HEAD "app,s1,0,0,0,0,,0,0,0,,0,,0,0,0,0,%s,1,1,0,0,0,1,0,,1,3,1,,0,,2,0,,0,L4OK,,0,\n\n",
                         rows[i].text);
                assert_int_equal(haproxy_backend_parse(text, &backend, NULL), 0);
                assert_int_equal(backend.servers[0].state, rows[i].state);
                haproxy_backend_free(&backend);
        }
}

static void test_limit(void **state) {
        (void)state;
        static const struct {
                const char *text;
                int64_t limit;
        } rows[] = {{"", -1}, {"0", -1}, {"200", 200}, {"many", -1}};
        for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                char text[1024];
                HaproxyBackend backend;
                snprintf(text, sizeof text,
                         HEAD "app,s1,0,0,0,0,%s,0,0,0,,0,,0,0,0,0,UP,1,1,0,0,0,1,0,,1,3,1,,0,,2,0,,0,L4OK,,0,\n\n",
                         rows[i].text);
                assert_int_equal(haproxy_backend_parse(text, &backend, NULL), 0);
                assert_int_equal(backend.servers[0].limit, rows[i].limit);
                haproxy_backend_free(&backend);
        }
}

#define STATE_HEAD "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight\n"

static void test_down_and_drained(void **state) {
        (void)state;
        static const struct {
                const char *status, *text;
                HaproxyServerState state;
        } rows[] = {
                {"DOWN", STATE_HEAD "3 app 1 s1 127.0.0.1 0 8 1 1\n\n", HAPROXY_DRAIN},
                {"DOWN", STATE_HEAD "3 app 1 s1 127.0.0.1 0 16 1 1\n\n", HAPROXY_DRAIN},
                {"DOWN", STATE_HEAD "3 app 1 s1 127.0.0.1 0 0 1 1\n\n", HAPROXY_DOWN},
                {"DOWN", STATE_HEAD "3 app 2 s2 127.0.0.1 0 8 1 1\n\n", HAPROXY_DOWN},
                {"UP", STATE_HEAD "3 app 1 s1 127.0.0.1 2 8 1 1\n\n", HAPROXY_UP}, /* of another moment */
                {"DOWN", STATE_HEAD "3 app 1 s1\n\n", HAPROXY_DOWN},
                {"DOWN", STATE_HEAD, HAPROXY_DOWN},
                {"DOWN", "Permission denied\n\n", HAPROXY_DOWN},
                {"DOWN", "", HAPROXY_DOWN},
        };
        for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                char text[1024];
                HaproxyBackend backend;
                snprintf(text, sizeof text,
                         HEAD "app,s1,0,0,0,0,,0,0,0,,0,,0,0,0,0,%s,1,1,0,0,0,1,0,,1,3,1,,0,,2,0,,0,L4OK,,0,\n\n",
                         rows[i].status);
                assert_int_equal(haproxy_backend_parse(text, &backend, NULL), 0);
                haproxy_backend_note_drained(&backend, rows[i].text);
                assert_int_equal(backend.servers[0].state, rows[i].state);
                haproxy_backend_free(&backend);
        }
}

static void test_backend_nonsense(void **state) {
        (void)state;
        static const struct {
                const char *text;
                int code;
        } rows[] = {
                {"No such proxy.\n\n", -ENOENT},
                {"", -EBADMSG},
                {"HTTP/1.1 400 Bad request\r\n\r\n", -EBADMSG},
                {"\x01\x02\xff", -EBADMSG},
                {HEAD "app,s1,0,0\n", -EBADMSG},
                {HEAD "app\n", -EBADMSG},
                {HEAD "app,s1,0,0,-3,0,,0,0,0,,0,,0,0,0,0,UP,\n", -EBADMSG},
                {HEAD "app,s1,0,0,many,0,,0,0,0,,0,,0,0,0,0,UP,\n", -EBADMSG},
                {HEAD "app,s1,0,0,99999999999999999999,0,,0,0,0,,0,,0,0,0,0,UP,\n", -EBADMSG},
        };
        for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                HaproxyBackend backend = {0};
                Error error = {0};
                assert_int_equal(haproxy_backend_parse(rows[i].text, &backend, &error), rows[i].code);
                assert_null(backend.servers);
                assert_true(error.message[0] != '\0');
        }
}

static void test_map(void **state) {
        (void)state;
        int64_t value = -1;
        const char *text =
                "0x55f1d4d24e30 app:park_max 15000\n0x55f1d4d24e31 app 1795363691560\n0x55f1d4d24e32 odd x\n\n";
        assert_int_equal(haproxy_map_parse(text, "app", &value), HAPROXY_MAP_VALUE);
        assert_true(value == 1795363691560);
        assert_int_equal(haproxy_map_parse(text, "app:park_max", &value), HAPROXY_MAP_VALUE);
        assert_int_equal(value, 15000);
        assert_int_equal(haproxy_map_parse(text, "odd", &value), HAPROXY_MAP_VALUE);
        assert_int_equal(value, 0);
        assert_int_equal(haproxy_map_parse(text, "ap", &value), HAPROXY_MAP_NO_KEY);
        assert_int_equal(haproxy_map_parse("\n", "app", &value), HAPROXY_MAP_NO_KEY);
        assert_int_equal(haproxy_map_parse("Unknown map identifier. Please use #<id> or <file>.\n\n", "app", &value),
                         HAPROXY_MAP_UNKNOWN);
        assert_int_equal(haproxy_map_parse("app", "app", &value), HAPROXY_MAP_NO_KEY);
}

static void test_info(void **state) {
        (void)state;
        int64_t value = -1;
        assert_int_equal(haproxy_info_number("Name: HAProxy\nDroppedLogs: 12\nX: y\n", "DroppedLogs", &value), 0);
        assert_int_equal(value, 12);
        assert_int_equal(haproxy_info_number("Name: HAProxy\n", "DroppedLogs", &value), -ENOENT);
        assert_int_equal(haproxy_info_number("DroppedLogs: many\n", "DroppedLogs", &value), -EBADMSG);
        assert_int_equal(haproxy_info_number("DroppedLogs: -1\n", "DroppedLogs", &value), -EBADMSG);
}

static void test_pieces(void **state) {
        (void)state;
        char said[16];
        assert_string_equal(haproxy_complaint("\n\n", said, sizeof said), "");
        assert_string_equal(haproxy_complaint("\nentry not found.\n\n", said, sizeof said), "entry not found");
        assert_string_equal(haproxy_complaint("a\x01z\n", said, sizeof said), "a?z");
        assert_string_equal(haproxy_next_answer("one\n\ntwo\n\n"), "two\n\n");
        assert_string_equal(haproxy_next_answer("one"), "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_backend),
                cmocka_unit_test(test_states),
                cmocka_unit_test(test_limit),
                cmocka_unit_test(test_down_and_drained),
                cmocka_unit_test(test_backend_nonsense),
                cmocka_unit_test(test_map),
                cmocka_unit_test(test_info),
                cmocka_unit_test(test_pieces),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
