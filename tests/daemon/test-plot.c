/* The picture of a metric: well-formed whatever it is given, with what must be in it. How it looks is for people to judge. */
#include "daemon/plot.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WALL INT64_C(1795362036000000)
#define SECOND INT64_C(1000000)

/* Tags that are open; every one must be closed again, and no text may hold markup. */
static void assert_well_formed(const char *svg) {
        char names[32][24];
        unsigned depth = 0;
        for (const char *at = strchr(svg, '<'); at; at = strchr(at + 1, '<')) {
                const char *end = strchr(at, '>');
                assert_non_null(end);
                if (at[1] == '/') {
                        assert_true(depth > 0);
                        depth--;
                        assert_int_equal(strncmp(names[depth], at + 2, strlen(names[depth])), 0);
                        assert_true(at[2 + strlen(names[depth])] == '>');
                } else if (end[-1] != '/') {
                        assert_true(depth < ARRAY_SIZE(names));
                        snprintf(names[depth++], sizeof names[0], "%.*s", (int)strcspn(at + 1, " >"), at + 1);
                }
        }
        assert_int_equal(depth, 0);
        assert_null(strstr(svg, "nan"));
        assert_null(strstr(svg, "inf"));
}

static char *draw(const Plot *plot) {
        char *svg = plot_svg(plot);
        assert_non_null(svg);
        assert_well_formed(svg);
        return svg;
}

static unsigned count(const char *text, const char *word) {
        unsigned number = 0;
        for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
                number++;
        return number;
}

static void test_all_of_it(UNUSED void **state) {
        const PlotPoint points[] = {{WALL, 0.1, true},
                                    {WALL + 2 * SECOND, 5.02, true},
                                    {WALL + 4 * SECOND, 0, false},
                                    {WALL + 9 * SECOND, 0, true}};
        const PlotMark marks[] = {{WALL + SECOND, "v3.0.0 <&\"> deployed"},
                                  {WALL + 400 * SECOND, "too late to be seen"}};
        const PlotStep steps[] = {{WALL + 5 * SECOND, WALL + 5 * SECOND + 1000, 0, "Prove the target", false},
                                  {WALL + 5 * SECOND + 1000, WALL + 6 * SECOND, 2, "Drain <traffic>", true}};
        const Plot plot = {.title = "Error rate",
                           .unit = "%",
                           .points = points,
                           .point_count = 4,
                           .threshold = 1,
                           .marks = marks,
                           .mark_count = 2,
                           .steps = steps,
                           .step_count = 2};
        AUTO_FREE char *svg = draw(&plot);
        assert_int_equal(count(svg, "class=\"dot\""), 2);
        assert_int_equal(count(svg, "class=\"bad\""), 1);
        assert_int_equal(count(svg, "class=\"unknown\""), 1);
        assert_int_equal(count(svg, "class=\"step\""), 1);
        assert_int_equal(count(svg, "class=\"failed\""), 1);
        assert_non_null(strstr(svg, "limit 1 %"));
        assert_non_null(strstr(svg, "v3.0.0 &lt;&amp;&quot;&gt; deployed"));
        assert_null(strstr(svg, "too late"));
        assert_non_null(strstr(svg, "prefers-color-scheme:dark"));
}

static void test_what_must_stay_above(UNUSED void **state) {
        const PlotPoint points[] = {{WALL, 100, true}, {WALL + SECOND, 94.5, true}};
        const Plot plot = {.title = "Success rate",
                           .unit = "%",
                           .points = points,
                           .point_count = 2,
                           .threshold = 99,
                           .below_is_bad = true};
        AUTO_FREE char *svg = draw(&plot);
        assert_int_equal(count(svg, "class=\"bad\""), 1);
        assert_non_null(strstr(svg, ">100 %<"));
        assert_null(strstr(svg, ">102 %<"));
}

static void test_little_and_odd(UNUSED void **state) {
        static const double values[] = {0, 1e-9, 0.003, 1, 250.4, 1e12};
        const Plot nothing = {.title = "Error rate", .unit = "%", .threshold = 1};
        AUTO_FREE char *svg = draw(&nothing);
        assert_non_null(strstr(svg, "Nothing was measured."));
        for (size_t i = 0; i < ARRAY_SIZE(values); i++)
                for (size_t k = 0; k < ARRAY_SIZE(values); k++) {
                        const PlotPoint one = {WALL, values[i], true};
                        const Plot plot = {.title = "Latency",
                                           .unit = "ms",
                                           .points = &one,
                                           .point_count = 1,
                                           .threshold = values[k]};
                        AUTO_FREE char *drawn = draw(&plot);
                        assert_true(count(drawn, "class=\"grid\"") < 20);
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_of_it),
                cmocka_unit_test(test_what_must_stay_above),
                cmocka_unit_test(test_little_and_odd),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
