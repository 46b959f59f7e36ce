#include "adapters/host.h"

#include "base/macros.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* A directory that looks like /proc. */
static char proc[] = "/tmp/test-host.XXXXXX";

static void put(const char *name, const char *text) {
        char path[64];
        snprintf(path, sizeof path, "%s/%s", proc, name);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
}

static int set_up(void **state UNUSED) {
        char path[64];
        if (!mkdtemp(proc))
                return -1;
        snprintf(path, sizeof path, "%s/net", proc);
        return mkdir(path, 0700);
}

static int tear_down(void **state UNUSED) {
        static const char *const names[] = {"stat", "meminfo", "net/snmp", "net", ""};
        char path[64];
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                snprintf(path, sizeof path, "%s/%s", proc, names[i]);
                (void)remove(path);
        }
        return 0;
}

static void test_cpu(UNUSED void **state) {
        HostCpu cpu = {0};
        Error error = {0};
        put("stat", "cpu  100 5 45 800 30 1 9 10 50 0\ncpu0 1 2 3 4\nintr 12345\n");
        assert_int_equal(host_cpu(proc, &cpu, &error), 0);
        assert_int_equal(cpu.total, 1000); /* a guest's 50 are in the 100 */
        assert_int_equal(cpu.busy, 170);
        put("stat", "cpu  1 2 3 4\n"); /* an old kernel */
        assert_int_equal(host_cpu(proc, &cpu, &error), 0);
        assert_int_equal(cpu.busy, 6);
        static const char *const bad[] = {"", "cpu0 1 2 3 4\n", "cpu  1 2 3\n", "cpu  a b c d\n",
                                          "cpu  99999999999999999999 1 1 1\n"};
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                put("stat", bad[i]);
                cpu.busy = 7;
                assert_int_equal(host_cpu(proc, &cpu, &error), -EBADMSG);
                assert_int_equal(cpu.busy, 7);
                assert_non_null(strstr(error.message, "/stat has no line 'cpu'"));
        }
}

static void test_memory(UNUSED void **state) {
        HostMemory memory = {0};
        Error error = {0};
        put("meminfo", "MemTotal:       16000000 kB\nMemFree:          500000 kB\nMemAvailable:    4000000 kB\n");
        assert_int_equal(host_memory(proc, &memory, &error), 0);
        assert_int_equal(memory.total, INT64_C(16384000000));
        assert_int_equal(memory.available, INT64_C(4096000000));
        static const char *const bad[] = {"", "MemTotal: 5 MB\nMemAvailable: 1 kB\n",
                                          "MemTotal: 0 kB\nMemAvailable: 0 kB\n", "MemTotal: 5 kB\n",
                                          "XMemTotal: 5 kB\nMemAvailable: 1 kB\n"};
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                put("meminfo", bad[i]);
                assert_int_equal(host_memory(proc, &memory, &error), -EBADMSG);
        }
}

static void test_segments(UNUSED void **state) {
        HostSegments segments = {0};
        Error error = {0};
        put("net/snmp", "Ip: Forwarding DefaultTTL\nIp: 1 64\n"
                        "Tcp: RtoAlgorithm MaxConn InSegs OutSegs RetransSegs InErrs\nTcp: 1 -1 500 1000 7 0\n"
                        "Udp: InDatagrams\nUdp: 3\n");
        assert_int_equal(host_segments(proc, &segments, &error), 0);
        assert_int_equal(segments.sent, 1000);
        assert_int_equal(segments.again, 7);
        static const char *const bad[] = {"", "Tcp: OutSegs RetransSegs\n", "Tcp: OutSegs RetransSegs\nTcp: 1\n",
                                          "Tcp: OutSegs\nTcp: 1\n", "Tcp: OutSegs RetransSegs\nTcp: x y\n"};
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                put("net/snmp", bad[i]);
                assert_int_equal(host_segments(proc, &segments, &error), -EBADMSG);
        }
}

static void test_missing(UNUSED void **state) {
        HostCpu cpu;
        Error error = {0};
        assert_int_equal(host_cpu("/nowhere", &cpu, &error), -ENOENT);
        assert_non_null(strstr(error.message, "/nowhere/stat"));
}

static void test_this_machine(UNUSED void **state) {
        HostCpu cpu;
        HostMemory memory;
        HostSegments segments;
        assert_int_equal(host_cpu(HOST_PROC, &cpu, NULL), 0);
        assert_true(cpu.busy > 0 && cpu.busy <= cpu.total);
        assert_int_equal(host_memory(HOST_PROC, &memory, NULL), 0);
        assert_true(memory.available > 0 && memory.available <= memory.total);
        assert_int_equal(host_segments(HOST_PROC, &segments, NULL), 0);
        assert_true(segments.again <= segments.sent);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cpu),     cmocka_unit_test(test_memory),       cmocka_unit_test(test_segments),
                cmocka_unit_test(test_missing), cmocka_unit_test(test_this_machine),
        };
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
