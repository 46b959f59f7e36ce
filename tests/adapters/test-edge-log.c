/* Log lines and frames as HAProxy writes them, and as nobody should. */
#include "adapters/edge-log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LINE "novacron1 end=1795363687051 backend=app status=200 state=-- TR=0 Tr=12 Ta=13 gate=- key=- parked=-"

static EdgeLine parse(const char *line, EdgeRecord *record) {
        return edge_log_parse(line, strlen(line), record);
}

static void test_request(void **state) {
        (void)state;
        EdgeRecord r;
        assert_int_equal(parse(LINE, &r), EDGE_LINE_REQUEST);
        assert_true(r.end_ms == 1795363687051);
        assert_string_equal(r.backend, "app");
        assert_int_equal(r.status, 200);
        assert_int_equal(r.cause, '-');
        assert_int_equal(r.phase, '-');
        assert_int_equal(r.request_ms, 0);
        assert_int_equal(r.response_ms, 12);
        assert_int_equal(r.active_ms, 13);
        assert_int_equal(r.gate, EDGE_GATE_NONE);
        assert_int_equal(r.parked_ms, 0);
}

static void test_parked_request(void **state) {
        (void)state;
        EdgeRecord r;
        assert_int_equal(
                parse("novacron1 end=1 backend=web status=503 state=LR TR=6002 Tr=-1 Ta=6002 gate=refused key=app parked=6002",
                      &r),
                EDGE_LINE_REQUEST);
        assert_string_equal(r.backend, "web");
        assert_string_equal(r.gate_key, "app");
        assert_int_equal(r.gate, EDGE_GATE_REFUSED);
        assert_int_equal(r.parked_ms, 6002);
        assert_int_equal(r.response_ms, -1);
}

static void test_tolerated(void **state) {
        (void)state;
        static const char *const lines[] = {
                LINE "\n",
                LINE "\r\n",
                "<134>" LINE,
                LINE " | 127.0.0.1 GET /x",
                LINE " | status=500 backend=other", /* the operator's own fields can't change ours */
                LINE " new=field word",
                "novacron1 Ta=13 Tr=12 state=-- status=200 backend=app end=1795363687051", /* another order, nothing optional */
                "novacron1 end=1 backend=app status=-1 state=CR TR=-1 Tr=-1 Ta=0",
                "novacron1 end=1 backend=app status=0 state=CR-- Tr=-1 Ta=0",
        };
        EdgeRecord r;
        for (unsigned i = 0; i < sizeof lines / sizeof lines[0]; i++)
                if (parse(lines[i], &r) != EDGE_LINE_REQUEST)
                        fail_msg("not understood: %s", lines[i]);
        assert_int_equal(r.status, -1);
}

static void test_notices(void **state) {
        (void)state;
        EdgeRecord r;
        assert_int_equal(parse("Server app/s1 is DOWN, reason: Layer4 connection problem", &r), EDGE_LINE_NOTICE);
        assert_int_equal(parse("backend app has no server available!", &r), EDGE_LINE_NOTICE);
        assert_int_equal(parse("Lua function 'novacron_gate': aborting Lua processing on expired timeout.", &r),
                         EDGE_LINE_NOTICE);
}

static void test_nonsense(void **state) {
        (void)state;
        static const char *const lines[] = {
                "",
                "novacron1",
                "novacron1 ",
                "novacron2 end=1 backend=app status=200 state=-- Tr=1 Ta=1",
                "127.0.0.1:39710 [22/Nov/2026:16:07:11.970] web app/s1 0/0/0/1/1 200 69 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"",
                "novacron1 backend=app status=200 state=-- Tr=1 Ta=1",             /* end missing */
                "novacron1 end=1 backend=app status=200 state=-- Ta=1",            /* Tr missing */
                "novacron1 end=1 end=1 backend=app status=200 state=-- Tr=1 Ta=1", /* twice */
                "novacron1 end=-1 backend=app status=200 state=-- Tr=1 Ta=1",
                "novacron1 end=1 backend=app status=-5 state=-- Tr=1 Ta=1",
                "novacron1 end=1 backend=app status=2000 state=-- Tr=1 Ta=1",
                "novacron1 end=1 backend=app status=200 state=-- Tr=-2 Ta=1",
                "novacron1 end=1 backend=app status=200 state=-- Tr=1 Ta=-1",
                "novacron1 end=1 backend=app status=200 state=-- Tr=1 Ta=99999999999999999999",
                "novacron1 end=1 backend=app status=200 state=-- Tr=1e3 Ta=1",
                "novacron1 end=1 backend=app status=200 state=-- Tr=NaN Ta=1",
                "novacron1 end=1 backend=app status=200 state=-- Tr= Ta=1",
                "novacron1 end=1 backend=app status=200 state=X- Tr=1 Ta=1",
                "novacron1 end=1 backend=app status=200 state=- Tr=1 Ta=1",
                "novacron1 end=1 backend=a/b status=200 state=-- Tr=1 Ta=1",
                "novacron1 end=1 backend= status=200 state=-- Tr=1 Ta=1",
                "novacron1 end=1 backend=app status=200 state=-- Tr=1 Ta=1 gate=maybe",
                "novacron1 end=1 backend=app status=200 state=-- Tr=1 Ta=1 parked=-3",
        };
        EdgeRecord untouched = {.status = 7}, r = untouched;
        for (unsigned i = 0; i < sizeof lines / sizeof lines[0]; i++)
                if (parse(lines[i], &r) != EDGE_LINE_NONSENSE)
                        fail_msg("taken for sense: %s", lines[i]);
        assert_int_equal(r.status, 7);

        char name[400];
        snprintf(name, sizeof name, "novacron1 end=1 backend=%0200d status=200 state=-- Tr=1 Ta=1", 1);
        assert_int_equal(parse(name, &r), EDGE_LINE_NONSENSE);
        assert_int_equal(edge_log_parse("novacron1 end=1 backend=a\0b status=200 state=-- Tr=1 Ta=1", 56, &r),
                         EDGE_LINE_NONSENSE);
}

/* Whatever bytes are put into a good line, the parser says something and reads nothing behind the end (the sanitizer watches). */
static void test_every_byte_everywhere(void **state) {
        (void)state;
        size_t size = strlen(LINE);
        for (size_t at = 0; at < size; at++)
                for (int byte = 0; byte < 256; byte++) {
                        char *line = malloc(size);
                        EdgeRecord r;
                        memcpy(line, LINE, size);
                        line[at] = (char)byte;
                        edge_log_parse(line, size, &r);
                        free(line);
                }
        for (size_t cut = 0; cut <= size; cut++) {
                char *line = malloc(cut + 1);
                EdgeRecord r;
                memcpy(line, LINE, cut);
                edge_log_parse(line, cut, &r);
                free(line);
        }
}

/* ---- frames ---- */

static EdgeFrame frame(const char *data, size_t size, char *line, size_t *ret_used) {
        const char *at = NULL;
        size_t length = 0;
        EdgeFrame result = edge_frame_next(data, size, &at, &length, ret_used);
        snprintf(line, 64, "%.*s", result == EDGE_FRAME_LINE ? (int)length : 0, at ? at : "");
        return result;
}

static void test_octet_count(void **state) {
        (void)state;
        const char *data = "5 hello11 hello world3 x";
        char line[64];
        size_t used;
        assert_int_equal(frame(data, strlen(data), line, &used), EDGE_FRAME_LINE);
        assert_string_equal(line, "hello");
        data += used;
        assert_int_equal(frame(data, strlen(data), line, &used), EDGE_FRAME_LINE);
        assert_string_equal(line, "hello world");
        data += used;
        assert_int_equal(frame(data, strlen(data), line, &used), EDGE_FRAME_PARTIAL);
        assert_int_equal(used, 0);
}

static void test_newlines(void **state) {
        (void)state;
        const char *data = "\n\nhello\nworld";
        char line[64];
        size_t used;
        assert_int_equal(frame(data, strlen(data), line, &used), EDGE_FRAME_LINE);
        assert_string_equal(line, "hello");
        assert_int_equal(used, 8);
        assert_int_equal(frame(data + used, strlen(data + used), line, &used), EDGE_FRAME_PARTIAL);
        assert_int_equal(frame("\n\n", 2, line, &used), EDGE_FRAME_PARTIAL);
        assert_int_equal(used, 2);
}

/* Any way to cut a stream gives the same lines. */
static void test_every_split(void **state) {
        (void)state;
        const char *data = "5 hello<6>line\n98 " LINE "\n3 end";
        size_t size = strlen(data);
        for (size_t split = 1; split < size; split++) {
                char lines[256] = "", line[64];
                size_t at = 0, seen = split;
                while (at < size) {
                        size_t used;
                        EdgeFrame result = frame(data + at, seen - at, line, &used);
                        assert_int_not_equal(result, EDGE_FRAME_BROKEN);
                        at += used;
                        if (result == EDGE_FRAME_LINE)
                                snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "%.5s", line);
                        else if (seen == size)
                                break;
                        else
                                seen = size;
                }
                assert_string_equal(lines, "hello<6>linovacend");
        }
}

static void test_broken_frames(void **state) {
        (void)state;
        static char huge[EDGE_FRAME_MAX + 8];
        char line[64];
        size_t used;
        memset(huge, 'x', sizeof huge);
        assert_int_equal(frame(huge, sizeof huge, line, &used), EDGE_FRAME_BROKEN);
        assert_int_equal(frame(huge, EDGE_FRAME_MAX - 1, line, &used), EDGE_FRAME_PARTIAL);
        assert_int_equal(frame("99999 x", 7, line, &used), EDGE_FRAME_BROKEN);
        assert_int_equal(frame("123456 x", 8, line, &used), EDGE_FRAME_BROKEN);
        assert_int_equal(frame("0 x", 3, line, &used), EDGE_FRAME_BROKEN);
        assert_int_equal(frame("12x", 3, line, &used), EDGE_FRAME_BROKEN);
        assert_int_equal(frame("12", 2, line, &used), EDGE_FRAME_PARTIAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_request),     cmocka_unit_test(test_parked_request),
                cmocka_unit_test(test_tolerated),   cmocka_unit_test(test_notices),
                cmocka_unit_test(test_nonsense),    cmocka_unit_test(test_every_byte_everywhere),
                cmocka_unit_test(test_octet_count), cmocka_unit_test(test_newlines),
                cmocka_unit_test(test_every_split), cmocka_unit_test(test_broken_frames),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
