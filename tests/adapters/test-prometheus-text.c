#include "adapters/prometheus-text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#define ANSWER(type, result) "{\"status\":\"success\",\"data\":{\"resultType\":\"" type "\",\"result\":" result "}}"
#define VECTOR(value) ANSWER("vector", "[{\"metric\":{},\"value\":" value "}]")
#define MATRIX(values) ANSWER("matrix", "[{\"metric\":{},\"values\":[" values "]}]")

static int parse(const char *text, PrometheusValue *value, Error *error) {
        return prometheus_parse_instant(text, strlen(text), value, error);
}

static void reads_a_number(UNUSED void **state) {
        PrometheusValue value;
        assert_int_equal(parse(VECTOR("[1700000000.123,\"12.5\"]"), &value, NULL), 0);
        assert_int_equal(value.answer, PROMETHEUS_NUMBER);
        assert_int_equal(value.at_us, INT64_C(1700000000123000));
        assert_true(value.number == 12.5);
        assert_int_equal(parse(ANSWER("scalar", "[1700000000,\"3\"]"), &value, NULL), 0);
        assert_true(value.number == 3);
        assert_int_equal(parse(VECTOR("[1700000000,\"NaN\"]"), &value, NULL), 0);
        assert_int_equal(value.answer, PROMETHEUS_NAN);
        assert_int_equal(parse(ANSWER("vector", "[]"), &value, NULL), 0);
        assert_int_equal(value.answer, PROMETHEUS_NOTHING);
}

static const struct Refusal {
        const char *text;
        int code;
        const char *says;
} refusals[] = {
        {"", -EBADMSG, "not a JSON answer"},
        {"<html>502</html>", -EBADMSG, "not a JSON answer"},
        {"[]", -EBADMSG, "no 'status'"},
        {"{}", -EBADMSG, "no 'status'"},
        {"{\"status\":1}", -EBADMSG, "no 'status'"},
        {"{\"status\":\"success\",\"status\":\"error\"}", -EBADMSG, "not a JSON answer"},
        {"{\"status\":\"success\"}", -EBADMSG, "no 'data.result'"},
        {"{\"status\":\"success\",\"data\":[]}", -EBADMSG, "no 'data.result'"},
        {"{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse\\nerror\"}", -EPROTO,
         "it says: parse error"},
        {"{\"status\":\"error\"}", -EPROTO, "it says: "},
        {"{\"status\":\"success\",\"warnings\":[\"a store is away\"],\"data\":{\"resultType\":\"vector\",\"result\":[]}}",
         -EBADMSG, "it warns: a store is away"},
        {ANSWER("matrix", "[]"), -EBADMSG, "gives a matrix, not a vector"},
        {ANSWER("string", "[1,\"x\"]"), -EBADMSG, "gives a string"},
        {ANSWER("vector", "{}"), -EBADMSG, "no 'data.result'"},
        {ANSWER("vector", "[{\"value\":[1,\"1\"]},{\"value\":[1,\"2\"]}]"), -EBADMSG, "gives 2 series, not one"},
        {ANSWER("vector", "[{}]"), -EBADMSG, "no pair of a time and a number"},
        {ANSWER("vector", "[null]"), -EBADMSG, "no pair"},
        {VECTOR("[1,2]"), -EBADMSG, "no pair"},
        {VECTOR("[\"1\",\"2\"]"), -EBADMSG, "no pair"},
        {VECTOR("[-1,\"2\"]"), -EBADMSG, "no pair"},
        {VECTOR("[1e300,\"2\"]"), -EBADMSG, "no pair"},
        {VECTOR("[1,\"2\",3]"), -EBADMSG, "no pair"},
        {VECTOR("[1,\"\"]"), -EBADMSG, "no number"},
        {VECTOR("[1,\"12x\"]"), -EBADMSG, "no number"},
        {VECTOR("[1,\"0x10\"]"), -EBADMSG, "no number"},
        {VECTOR("[1,\"+Inf\"]"), -EBADMSG, "infinite"},
        {VECTOR("[1,\"-Inf\"]"), -EBADMSG, "infinite"},
        {VECTOR("[1,\"1e999\"]"), -EBADMSG, "infinite"},
};

static void refuses_everything_else(UNUSED void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
                PrometheusValue value;
                Error error = {0};
                int r = parse(refusals[i].text, &value, &error);
                if (r != refusals[i].code || !strstr(error_text(&error), refusals[i].says))
                        fail_msg("%s: %d '%s'", refusals[i].text, r, error_text(&error));
        }
}

static void is_not_buried_by_depth(UNUSED void **state) {
        enum { DEPTH = 100000 };
        char *text = malloc(DEPTH + 1);
        memset(text, '[', DEPTH);
        text[DEPTH] = '\0';
        PrometheusValue value;
        assert_int_equal(parse(text, &value, NULL), -EBADMSG);
        free(text);
}

static void reads_a_range(UNUSED void **state) {
        static const char text[] = MATRIX("[100,\"1\"],[130,\"NaN\"],[190.5,\"3\"]");
        PrometheusValue values[3];
        size_t count = 0;
        assert_int_equal(prometheus_parse_range(text, strlen(text), values, 3, &count, NULL), 0);
        assert_int_equal(count, 3);
        assert_int_equal(values[0].at_us, INT64_C(100000000));
        assert_int_equal(values[1].answer, PROMETHEUS_NAN);
        assert_int_equal(values[2].at_us, INT64_C(190500000));
        assert_int_equal(prometheus_parse_range(text, strlen(text), values, 2, &count, NULL), -EBADMSG);
        static const char none[] = ANSWER("matrix", "[]"), backward[] = MATRIX("[100,\"1\"],[100,\"2\"]"),
                          bare[] = ANSWER("matrix", "[{}]");
        assert_int_equal(prometheus_parse_range(none, strlen(none), values, 3, &count, NULL), 0);
        assert_int_equal(count, 0);
        assert_int_equal(prometheus_parse_range(backward, strlen(backward), values, 3, &count, NULL), -EBADMSG);
        assert_int_equal(prometheus_parse_range(bare, strlen(bare), values, 3, &count, NULL), -EBADMSG);
}

static void fills_the_window_in(UNUSED void **state) {
        char *query = prometheus_fill_query("sum(x{a=~\"5..\"}[{window}]) / y[{window}]", 30 * USEC_PER_SEC);
        assert_string_equal(query, "sum%28x%7Ba%3D%7E%225..%22%7D%5B30000ms%5D%29%20%2F%20y%5B30000ms%5D");
        free(query);
        query = prometheus_fill_query("", USEC_PER_SEC);
        assert_string_equal(query, "");
        free(query);
        query = prometheus_fill_query("{window}", USEC_PER_SEC);
        assert_string_equal(query, "1000ms");
        free(query);
}

static PrometheusValue number(double value) {
        return (PrometheusValue){.answer = PROMETHEUS_NUMBER, .number = value};
}

static void makes_a_sample(UNUSED void **state) {
        PrometheusValue requests = number(1000.4), errors = number(49.6), p99 = number(0.2504), p50 = number(0.004);
        const PrometheusReadings all = {&requests, &errors, &p99, &p50};
        Sample sample = {0};
        assert_int_equal(prometheus_fill_sample(&all, &sample, NULL), 0);
        assert_true(sample.measured);
        assert_int_equal(sample.requests, 1000);
        assert_int_equal(sample.errors, 50);
        assert_int_equal(sample.successes, 950);
        assert_int_equal(sample.latency_p99_us, 250400);
        assert_int_equal(sample.latency_p50_us, 4000);

        errors = number(1003); /* both are interpolated: all failed */
        assert_int_equal(prometheus_fill_sample(&all, &sample, NULL), 0);
        assert_int_equal(sample.errors, 1000);
        assert_int_equal(sample.successes, 0);

        p99 = (PrometheusValue){.answer = PROMETHEUS_NAN};
        assert_int_equal(prometheus_fill_sample(&all, &sample, NULL), 0);
        assert_int_equal(sample.latency_p99_us, -1);
        assert_string_equal(sample.note, "'latency_p99': no data");
        const PrometheusReadings counts = {&requests, &errors, NULL, NULL};
        sample = (Sample){0};
        assert_int_equal(prometheus_fill_sample(&counts, &sample, NULL), 0);
        assert_int_equal(sample.latency_p99_us, -1);
        assert_string_equal(sample.note, "");
}

static void makes_none_of_nonsense(UNUSED void **state) {
        static const struct {
                PrometheusValue requests, errors, p99;
                int code;
                const char *says;
        } cases[] = {
                {{0}, {PROMETHEUS_NUMBER, 0, 0}, {0}, -ENODATA, "'requests': no data"},
                {{PROMETHEUS_NUMBER, 0, 10}, {0}, {0}, -ENODATA, "'errors': no data"},
                {{PROMETHEUS_NAN, 0, 0}, {PROMETHEUS_NUMBER, 0, 0}, {0}, -ENODATA, "'requests': not a number"},
                {{PROMETHEUS_NUMBER, 0, -1}, {PROMETHEUS_NUMBER, 0, 0}, {0}, -EBADMSG, "'requests': -1 is no count"},
                {{PROMETHEUS_NUMBER, 0, 1e300}, {PROMETHEUS_NUMBER, 0, 0}, {0}, -EBADMSG, "is no count"},
                {{PROMETHEUS_NUMBER, 0, 100}, {PROMETHEUS_NUMBER, 0, 103}, {0}, -EBADMSG, "'errors': 103 of 100"},
                {{PROMETHEUS_NUMBER, 0, 100},
                 {PROMETHEUS_NUMBER, 0, 0},
                 {PROMETHEUS_NUMBER, 0, -1},
                 -EBADMSG,
                 "'latency_p99': -1 s"},
                {{PROMETHEUS_NUMBER, 0, 100},
                 {PROMETHEUS_NUMBER, 0, 0},
                 {PROMETHEUS_NUMBER, 0, 1e9},
                 -EBADMSG,
                 "is no latency"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const PrometheusReadings readings = {&cases[i].requests, &cases[i].errors, &cases[i].p99, NULL};
                Sample sample = {0};
                Error error = {0};
                int r = prometheus_fill_sample(&readings, &sample, &error);
                if (r != cases[i].code || !strstr(error_text(&error), cases[i].says) || sample.measured)
                        fail_msg("case %zu: %d '%s'", i, r, error_text(&error));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(reads_a_number),         cmocka_unit_test(refuses_everything_else),
                cmocka_unit_test(is_not_buried_by_depth), cmocka_unit_test(reads_a_range),
                cmocka_unit_test(fills_the_window_in),    cmocka_unit_test(makes_a_sample),
                cmocka_unit_test(makes_none_of_nonsense),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
