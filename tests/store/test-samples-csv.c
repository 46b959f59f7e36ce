#include "store/samples-csv.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define INTERVAL (30 * USEC_PER_SEC)

static int open_text(const char *text, SamplesCsv **ret_csv, Error *error) {
        return samples_csv_open_text(text, strlen(text), "t.csv", INTERVAL, ret_csv, error);
}

/* All samples of a file that must be good. */
static unsigned read_all(const char *text, Sample *samples, unsigned max) {
        SamplesCsv *csv;
        Error error = {0};
        Sample sample = {0};
        unsigned count = 0;
        int r = open_text(text, &csv, &error);
        if (r < 0)
                fail_msg("%s", error_text(&error));
        while ((r = samples_csv_next(csv, &sample, &error)) > 0) {
                assert_true(count < max);
                samples[count++] = sample;
        }
        if (r < 0)
                fail_msg("%s", error_text(&error));
        samples_csv_close(csv);
        return count;
}

static void reads_what_it_says(UNUSED void **state) {
        Sample samples[8];
        int64_t noon;
        assert_int_equal(clock_parse_rfc3339("2026-11-22T12:00:00Z", &noon, NULL), 0);
        unsigned count = read_all("end,requests,errors,p99_ms,p50,dropped\n"
                                  "2026-11-22T12:00:00Z,6000,3,45.25,4ms,0\r\n"
                                  "\n"
                                  "2026-11-22T12:00:30.5Z , 5000 ,\"50\",1200,1.5s,7\n"
                                  "2026-11-22T12:10:00Z,,,,,\n"
                                  "2026-11-22T13:10:30+01:00,10,0,,900us,",
                                  samples, 8);
        assert_int_equal(count, 4);
        assert_int_equal(samples[0].end_wall, noon);
        assert_int_equal(samples[0].start_mono, noon - INTERVAL);
        assert_int_equal(samples[0].end_mono, noon);
        assert_true(samples[0].measured);
        assert_int_equal(samples[0].requests, 6000);
        assert_int_equal(samples[0].errors, 3);
        assert_int_equal(samples[0].successes, 5997);
        assert_int_equal(samples[0].latency_p99_us, 45250);
        assert_int_equal(samples[0].latency_p50_us, 4000);

        assert_int_equal(samples[1].end_wall, noon + 30500000);
        assert_int_equal(samples[1].start_mono, noon); /* where the one before it ended */
        assert_int_equal(samples[1].errors, 50);
        assert_int_equal(samples[1].latency_p99_us, 1200000);
        assert_int_equal(samples[1].latency_p50_us, 1500000);
        assert_int_equal(samples[1].dropped, 7);

        assert_false(samples[2].measured);
        assert_int_equal(samples[2].latency_p99_us, -1);
        assert_int_equal(samples[2].start_mono, samples[2].end_mono - INTERVAL); /* after a gap */

        assert_int_equal(samples[3].end_wall, noon + 630 * USEC_PER_SEC);
        assert_true(samples[3].measured);
        assert_int_equal(samples[3].latency_p99_us, -1);
        assert_int_equal(samples[3].latency_p50_us, 900);
}

static void other_columns(UNUSED void **state) {
        Sample samples[4];
        assert_int_equal(read_all("\xEF\xBB\xBFtime_ms,requests,errors,successes,latency_p99_s,start\n"
                                  "1700000000500,100,1,98,0.25,1699999990\n",
                                  samples, 4),
                         1);
        assert_int_equal(samples[0].end_wall, INT64_C(1700000000500000));
        assert_int_equal(samples[0].start_mono, INT64_C(1699999990000000));
        assert_int_equal(samples[0].successes, 98);
        assert_int_equal(samples[0].latency_p99_us, 250000);
        assert_int_equal(read_all("time,requests,errors,p99_us\n1700000000.25,1,0,77\n", samples, 4), 1);
        assert_int_equal(samples[0].end_wall, INT64_C(1700000000250000));
        assert_int_equal(samples[0].latency_p99_us, 77);
        assert_int_equal(read_all("time,requests,errors,p99_us\n", samples, 4), 0);
}

#define HEADER "end,requests,errors,p99_ms\n"

static const struct Refusal {
        const char *text, *says;
} refusals[] = {
        {"", "t.csv: empty; its first line must name the columns"},
        {"\n\n", "t.csv: empty"},
        {"end,requests,p99\n", "t.csv:1: the column 'errors' is missing"},
        {"end,requests,errors\n", "t.csv:1: the column 'p99' is missing"},
        {"end,requests,errors,p99,erors\n", "t.csv:1: there is no column 'erors'; allowed: end or time"},
        {"end,time,requests,errors,p99\n", "t.csv:1: column 'time' is there twice"},
        {"2026-11-22T12:00:00Z,1,2,3\n", "t.csv:1: there is no column '2026-11-22T12:00:00Z'"},
        {HEADER "yesterday,1,0,5\n", "t.csv:2: column 'end': 'yesterday' is no time"},
        {HEADER "2026-02-31T00:00:00Z,1,0,5\n", "t.csv:2: column 'end': '2026-02-31T00:00:00Z' is no time"},
        {HEADER ",1,0,5\n", "t.csv:2: column 'end': '' is no time"},
        {HEADER "1700000000,12x,0,5\n", "t.csv:2: column 'requests': '12x' is no whole number"},
        {HEADER "1700000000,-1,0,5\n", "t.csv:2: column 'requests': '-1' is no whole number"},
        {HEADER "1700000000,1.5,0,5\n", "t.csv:2: column 'requests': '1.5' is no whole number"},
        {HEADER "1700000000,9999999999999,0,5\n", "column 'requests': '9999999999999' is no whole number"},
        {HEADER "1700000000,99999999999999999999999,0,5\n", "is no whole number"},
        {HEADER "1700000000,1,0,NaN\n", "t.csv:2: column 'p99_ms': 'NaN' is no latency"},
        {HEADER "1700000000,1,0,1e3\n", "'1e3' is no latency"},
        {HEADER "1700000000,1,0,5ms\n", "'5ms' is no latency; allowed: a number"},
        {HEADER "1700000000,1,0,99999999999999999\n", "is no latency"},
        {HEADER "1700000000,1,0\n", "t.csv:2: the column 'p99_ms' is missing"},
        {HEADER "1700000000,1,0,5,6\n", "t.csv:2: more than the 4 columns of the first line"},
        {HEADER "1700000000,5,6,5\n", "t.csv:2: 6 errors of 5 requests"},
        {"end,requests,errors,successes,p99\n1700000000,5,2,4,\n", "t.csv:2: 2 errors and 4 successes of 5 requests"},
        {HEADER "1700000000,5,0,5\n1700000000,5,0,5\n", "t.csv:3: ends no later than the row before it"},
        {HEADER "1700000030,5,0,5\n\n1700000000,5,0,5\n", "t.csv:4: ends no later than the row before it"},
        {"end,requests,errors,p99\n1700000000,1,0,85\n", "'85' is no latency with its unit; allowed: 85ms"},
        {"end,start,requests,errors,p99\n1700000000,1700000001,1,0,\n", "t.csv:2: starts after its end"},
        {HEADER "1700000000,1,\x01\x02,5\n", "column 'errors': '?\?' is no whole number"},
};

static void says_what_is_wrong_and_where(UNUSED void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
                SamplesCsv *csv = NULL;
                Sample sample = {0};
                Error error = {0};
                int r = open_text(refusals[i].text, &csv, &error);
                while (r >= 0 && (r = samples_csv_next(csv, &sample, &error)) > 0)
                        ;
                if (r != -EBADMSG || !strstr(error_text(&error), refusals[i].says))
                        fail_msg("case %zu: %d '%s', not '%s'", i, r, error_text(&error), refusals[i].says);
                samples_csv_close(csv);
        }
}

static void a_line_has_a_bound(UNUSED void **state) {
        enum { SIZE = 100000 };
        char *text = malloc(SIZE + 1);
        memset(text, 'e', SIZE);
        text[SIZE] = '\0';
        SamplesCsv *csv;
        Error error = {0};
        assert_int_equal(open_text(text, &csv, &error), -EBADMSG);
        assert_non_null(strstr(error_text(&error), "t.csv:1: longer than 4096 bytes"));
        free(text);
}

/* Larger than the buffer, so that rows lie across its end. */
static void reads_a_file_of_any_size(UNUSED void **state) {
        enum { ROWS = 100000 };
        int fd = memfd_create("samples", 0);
        FILE *file = fdopen(dup(fd), "w");
        fprintf(file, "end,requests,errors,p99_ms\n");
        for (int i = 0; i < ROWS; i++)
                fprintf(file, "%d,%d,%d,%d.5\n", 1700000000 + 30 * i, 1000 + i, i % 100, i % 90);
        assert_int_equal(fclose(file), 0);
        lseek(fd, 0, SEEK_SET);
        SamplesCsv *csv;
        Sample sample = {0};
        Error error = {0};
        assert_int_equal(samples_csv_open(fd, "t.csv", INTERVAL, &csv, &error), 0);
        for (int i = 0; i < ROWS; i++) {
                assert_int_equal(samples_csv_next(csv, &sample, &error), 1);
                assert_int_equal(sample.requests, 1000 + i);
                assert_int_equal(sample.latency_p99_us, i % 90 * 1000 + 500);
                assert_int_equal(sample.end_wall, (1700000000 + INT64_C(30) * i) * USEC_PER_SEC);
        }
        assert_int_equal(samples_csv_next(csv, &sample, &error), 0);
        samples_csv_close(csv);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(reads_what_it_says),           cmocka_unit_test(other_columns),
                cmocka_unit_test(says_what_is_wrong_and_where), cmocka_unit_test(a_line_has_a_bound),
                cmocka_unit_test(reads_a_file_of_any_size),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
