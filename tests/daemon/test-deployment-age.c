/* How old the newest deployment is, while the wall clock is set, the program is started again, and the machine boots. */
#include "base/clock.h"
#include "daemon/controller.h"

#include "../core/core-test.h"

#include <string.h>
#include <systemd/sd-id128.h>

static int64_t wall, mono;
static unsigned boot;
static char directory[] = "/tmp/test-deployment-age-XXXXXX";

int64_t __wrap_clock_wall_us(void);
int64_t __wrap_clock_mono_us(void);
int __wrap_sd_id128_get_boot(sd_id128_t *ret);

int64_t __wrap_clock_wall_us(void) {
        return wall;
}

int64_t __wrap_clock_mono_us(void) {
        return mono;
}

int __wrap_sd_id128_get_boot(sd_id128_t *ret) {
        *ret = (sd_id128_t){.qwords = {boot, 1}};
        return 0;
}

static void pass(int64_t us) {
        wall += us;
        mono += us;
}

/* ---- a controller that has nothing but a journal ---- */

static Config config;
static Controller controller;

static void begin_process(void) {
        char path[64];
        Error error = {0};
        snprintf(path, sizeof path, "%s/journal.db", directory);
        config.rules = default_rules();
        controller = (Controller){.config = &config, .role = ROLE_DAEMON};
        if (journal_open(path, &controller.journal, &error) < 0)
                fail_msg("%s", error_text(&error));
        controller_remember_deployment(&controller);
}

static void end_process(void) {
        controller.journal = journal_close(controller.journal);
}

static void deploy(void) {
        Error error = {0};
        controller.deployment = (Deployment){.version = "v3.0.0", .previous = "v2.4.0", .at_wall = wall};
        controller.deployment_known = true;
        assert_int_equal(journal_add_deployment(controller.journal, &controller.deployment, &error), 0);
        deployment_made_now(&controller);
}

static int set_up(void **state UNUSED) {
        wall = INT64_C(1795362036) * SEC;
        mono = 1000 * SEC;
        boot = 1;
        begin_process();
        return 0;
}

static int tear_down(void **state UNUSED) {
        end_process();
        char command[96];
        snprintf(command, sizeof command, "rm %s/*", directory);
        return system(command);
}

/* ---- */

static void setting_the_clock_changes_nothing(void **state UNUSED) {
        int64_t until;
        deploy();
        int64_t end = wall + config.rules.armed_for_us;
        pass(HOUR);
        assert_int_equal(deployment_age(&controller), HOUR);
        assert_true(deployment_armed(&controller, &until));
        assert_int_equal(until, end);

        wall += 48 * HOUR;
        assert_int_equal(deployment_age(&controller), HOUR);
        assert_true(deployment_armed(&controller, &until));
        assert_int_equal(until, end + 48 * HOUR); /* as the clock shows now */

        wall -= 96 * HOUR;
        assert_int_equal(deployment_age(&controller), HOUR);
        pass(config.rules.armed_for_us);
        assert_false(deployment_armed(&controller, &until)); /* nor is it prolonged */
        assert_int_equal(until, 0);
}

/* Looked up again in the same process, and in the next one: a reload, or a restart. */
static void it_is_remembered_through_a_restart(void **state UNUSED) {
        deploy();
        wall += 48 * HOUR;
        pass(HOUR);
        controller_remember_deployment(&controller);
        assert_int_equal(deployment_age(&controller), HOUR);
        end_process();
        begin_process();
        assert_int_equal(deployment_age(&controller), HOUR);
        wall -= 96 * HOUR;
        end_process();
        begin_process();
        assert_int_equal(deployment_age(&controller), HOUR);
}

static void after_a_boot_the_wall_clock_counts(void **state UNUSED) {
        deploy();
        end_process();
        boot++;
        wall += 3 * HOUR;
        mono = 10 * SEC;
        begin_process();
        assert_int_equal(deployment_age(&controller), 3 * HOUR);
        wall += 48 * HOUR;
        assert_int_equal(deployment_age(&controller), 3 * HOUR);
}

/* A machine without a clock of its own believes to be in the past until it is told the time. */
static void a_deployment_in_the_future_is_new_but_once(void **state UNUSED) {
        deploy();
        end_process();
        boot++;
        wall -= 1000 * HOUR;
        mono = 10 * SEC;
        begin_process();
        assert_int_equal(deployment_age(&controller), 0);
        pass(2 * HOUR);
        end_process();
        begin_process();
        assert_int_equal(deployment_age(&controller), 2 * HOUR);
}

static void without_a_deployment_there_is_no_age(void **state UNUSED) {
        int64_t until = -1;
        assert_int_equal(deployment_age(&controller), 0);
        assert_false(deployment_armed(&controller, &until));
        assert_int_equal(until, 0);
        config.rules.armed_for_us = 0;
        assert_true(deployment_armed(&controller, &until));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(setting_the_clock_changes_nothing, set_up, tear_down),
                cmocka_unit_test_setup_teardown(it_is_remembered_through_a_restart, set_up, tear_down),
                cmocka_unit_test_setup_teardown(after_a_boot_the_wall_clock_counts, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_deployment_in_the_future_is_new_but_once, set_up, tear_down),
                cmocka_unit_test_setup_teardown(without_a_deployment_there_is_no_age, set_up, tear_down),
        };
        if (!mkdtemp(directory))
                return 1;
        int failed = cmocka_run_group_tests(tests, NULL, NULL);
        return rmdir(directory) < 0 ? 1 : failed;
}
