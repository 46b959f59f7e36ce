/* Steps 0 and 4 with a database that says what the test wants: the release store is real, the drivers aren't. */
#include "daemon/schema.h"
#include "daemon/steps.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "../adapters/release-fixture.h"

#define GATES_MAX 64

/* ---- a database ---- */

static struct {
        SchemaVerdict says[GATES_MAX]; /* at the first look, the second ...; the last one stays */
        unsigned gates, looks;
        bool gate_fails, restore_fails, loses;
        unsigned restored;
        SchemaRequest asked, brought; /* the newest */
        char current_then[VERSION_MAX];
} database;

static World world;
static Config *config;
static Journal *journal;
static Run run;
static char lines[256]; /* of progress */

typedef struct FakeOp {
        Op op;
} FakeOp;

static void fake_destroy(Op *op) {
        op_finish_base(op);
        free(op);
}

static int fake_begin(const OpResult *result, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op) {
        FakeOp *fake = calloc(1, sizeof *fake);
        assert_non_null(fake);
        assert_true(budget_us > 0);
        assert_int_equal(op_begin(&fake->op, world.event, "fake", budget_us, callback, userdata, fake_destroy), 0);
        assert_int_equal(op_complete_soon(&fake->op, result), 0);
        *ret_op = &fake->op;
        return 0;
}

static int fake_gate(UNUSED void *self, const SchemaRequest *request, int64_t budget_us, OpCallback callback,
                     void *userdata, Op **ret_op, UNUSED Error *error) {
        OpResult result = {.status = OP_DONE};
        unsigned look = database.looks++ < database.gates ? database.looks - 1 : database.gates - 1;
        database.asked = *request;
        result.gate.verdict = database.says[look];
        snprintf(result.gate.detail, sizeof result.gate.detail, "the gate's words");
        if (database.gate_fails) {
                result.status = OP_TIMED_OUT;
                error_set(&result.error, -ETIMEDOUT, "the gate timed out");
        }
        return fake_begin(&result, budget_us, callback, userdata, ret_op);
}

static int fake_restore(UNUSED void *self, const SchemaRequest *request, DataProgress progress, int64_t budget_us,
                        OpCallback callback, void *userdata, Op **ret_op, Error *error) {
        OpResult result = {.status = OP_DONE, .detail = "schema v3.0.0 -> v2.4.0, dump /state/7.dump"};
        database.brought = *request;
        database.restored++;
        assert_true(release_store_current(world.releases, database.current_then, error) >= 0);
        progress(userdata, "digest of public.orders: 1 of 2 rows");
        if (database.loses)
                snprintf(result.detail, sizeof result.detail,
                         ROWS_LOST_WORDS "public.orders: 9 rows vanish; schema ...");
        if (database.restore_fails) {
                result.status = OP_FAILED;
                error_set(&result.error, -ECANCELED, "3 rows of public.orders would go");
        }
        return fake_begin(&result, budget_us, callback, userdata, ret_op);
}

static int fake_units(UNUSED void *self, UNUSED const UnitSet *units, int64_t budget_us, OpCallback callback,
                      void *userdata, Op **ret_op, UNUSED Error *error) {
        const OpResult result = {.status = OP_DONE, .units = {.loadable = true}};
        return fake_begin(&result, budget_us, callback, userdata, ret_op);
}

static const DataDriver fake_data = {.name = "fake", .gate = fake_gate, .restore = fake_restore};
static const UnitsDriver fake_units_driver = {.name = "fake", .query = fake_units};

static void says(unsigned count, const SchemaVerdict *verdicts) {
        memset(&database, 0, sizeof database);
        memcpy(database.says, verdicts, count * sizeof *verdicts);
        database.gates = count;
}
#define SAYS(...)                                                                                                      \
        says(sizeof(SchemaVerdict[]){__VA_ARGS__} / sizeof(SchemaVerdict), (const SchemaVerdict[]){__VA_ARGS__})

/* ---- a world ---- */

#define V2 "schema: {version: v2.4.0}\n"
#define V3 "schema: {version: v3.0.0, down: {v2.4.0: notes.sql}}\n"
#define V3_COMES_FROM_V2 "schema: {version: v3.0.0, works_with: [v2.4.0], down: {v2.4.0: notes.sql}}\n"

static void open_world(void) {
        char text[1024];
        Error error = {0};
        snprintf(text, sizeof text,
                 "health: {url: 'http://127.0.0.1:1/'}\n"
                 "paths: {versions: %1$s/versions, current: %1$s/current, state: %1$s/state, "
                 "live_config: %1$s/etc/config.yaml, "
                 "saved_config: '%1$s/etc/config.{version}.yaml'}\n",
                 directory);
        if (config_load_text("test", text, strlen(text), &config, &error) < 0)
                fail_msg("%s", error.message);
        config->data_driver = &fake_data;
        config->units_driver = &fake_units_driver;
        world = (World){.config = config, .data = &database};
        assert_true(sd_event_new(&world.event) >= 0);
        const ReleasePaths paths = {.versions = config->versions,
                                    .current = config->current,
                                    .live_config = config->live_config,
                                    .saved_config = config->saved_config,
                                    .state_directory = config->state};
        if (release_store_open(world.event, &paths, &world.releases, &error) < 0 ||
            journal_open(in("state/journal.db"), &journal, &error) < 0)
                fail_msg("%s", error.message);
}

static int set_up(UNUSED void **state) {
        snprintf(directory, sizeof directory, "/tmp/test-schema.XXXXXX");
        assert_non_null(mkdtemp(directory));
        make_world();
        put("versions/v3.0.0/notes.sql", "select 1;\n");
        put("versions/v3.0.0/release.yaml", V3);
        put("versions/v2.4.0/release.yaml", V2);
        open_world();
        run = (Run){.id = 7, .plan = {.kind = RUN_ROLLBACK, .mode = MODE_MANUAL}};
        lines[0] = '\0';
        SAYS(SCHEMA_COMPATIBLE);
        return 0;
}

static int remove_one(const char *path, UNUSED const struct stat *st, UNUSED int flag, UNUSED struct FTW *ftw) {
        return remove(path);
}

static int tear_down(UNUSED void **state) {
        release_store_close(world.releases);
        journal_close(journal);
        sd_event_unref(world.event);
        config_free(config);
        return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void on_progress(UNUSED void *userdata, const char *line) {
        snprintf(lines, sizeof lines, "%s", line);
}

typedef struct Done {
        bool over;
        OpResult result;
} Done;

static void on_done(void *userdata, const OpResult *result) {
        Done *done = userdata;
        done->over = true;
        done->result = *result;
}

static OpResult play(StepId id, bool recovery, int64_t budget_us,
                     int (*begin)(const StepTools *tools, const StepCall *call, OpCallback callback, void *userdata,
                                  Op **ret_op, Error *error)) {
        StepCall call = {.step = id, .attempt = 1, .recovery = recovery, .budget_us = budget_us};
        const StepTools tools = {.world = &world, .journal = journal, .run = &run, .progress = on_progress};
        bool back = (run.plan.kind == RUN_ROLLBACK) != recovery; /* v3.0.0 leaves */
        Done done = {0};
        Op *op;
        Error error = {0};
        snprintf(call.leaving, sizeof call.leaving, "%s", back ? "v3.0.0" : "v2.4.0");
        snprintf(call.target, sizeof call.target, "%s", back ? "v2.4.0" : "v3.0.0");
        if (begin(&tools, &call, on_done, &done, &op, &error) < 0)
                fail_msg("%s", error.message);
        while (!done.over)
                assert_true(sd_event_run(world.event, UINT64_MAX) >= 0);
        return done.result;
}

static OpResult act(StepId id) {
        return play(id, false, 10 * USEC_PER_SEC, step_act);
}

/* With little patience. */
static OpResult prove(void) {
        return play(STEP_PREFLIGHT, false, 1500 * USEC_PER_MSEC, step_act);
}

static void assert_current(const char *version) {
        char current[VERSION_MAX];
        Error error = {0};
        if (release_store_current(world.releases, current, &error) < 0)
                fail_msg("%s", error.message);
        assert_string_equal(current, version);
}

static void assert_done(const OpResult *result, const char *words) {
        if (result->status != OP_DONE)
                fail_msg("it failed: %s", error_text(&result->error));
        if (!strstr(result->detail, words))
                fail_msg("'%s' doesn't say '%s'", result->detail, words);
}

static void assert_failed(const OpResult *result, const char *words) {
        if (result->status == OP_DONE)
                fail_msg("it was done: %s", result->detail);
        if (!strstr(error_text(&result->error), words))
                fail_msg("'%s' doesn't say '%s'", error_text(&result->error), words);
}

static void take_in(const char *version) {
        Done done = {0};
        Op *op;
        Error error = {0};
        if (release_store_take_in(world.releases, version, true, 10 * USEC_PER_SEC, on_done, &done, &op, &error) < 0)
                fail_msg("%s", error.message);
        while (!done.over)
                assert_true(sd_event_run(world.event, UINT64_MAX) >= 0);
        assert_int_equal(done.result.status, OP_DONE);
}

/* ---- the request ---- */

static void a_request_holds_what_both_say(UNUSED void **state) {
        static SchemaRequest request;
        Error error = {0};
        assert_int_equal(schema_request(&world, "v3.0.0", "v2.4.0", &request, &error), 0);
        assert_string_equal(request.release, "v2.4.0");
        assert_string_equal(request.target.version, "v2.4.0");
        assert_int_equal(request.leaving.down_count, 1);
        assert_int_equal(request.limit_us, 25 * USEC_PER_SEC);
        assert_true(schema_gated(&world, &request));
        assert_int_equal(schema_request(&world, "", "v2.4.0", &request, &error), 0);
        assert_false(request.leaving.declared);
        put("versions/v3.0.0/release.yaml", "nonsense\n");
        assert_int_equal(schema_request(&world, "v3.0.0", "v2.4.0", &request, &error), 1);
        assert_true(request.target.declared && !request.leaving.declared);
        assert_non_null(strstr(error.message, "v3.0.0/release.yaml:1:1:"));
        assert_int_equal(schema_request(&world, "v2.4.0", "v3.0.0", &request, &error), -EINVAL);
}

static const char *expected_of_v3(void) {
        static SchemaRequest request;
        Error error = {0};
        assert_int_equal(schema_request(&world, "v3.0.0", "v2.4.0", &request, &error), 0);
        assert_int_equal(request.leaving.down_count, 1);
        return request.leaving.down[0].digest;
}

/* Of "select 1;\n"; nothing is said of a release that was never taken in. */
static void a_script_must_be_what_was_taken_in(UNUSED void **state) {
        static const char digest[] = "4a45092ccf992ea92250053a80b931b787924ba61648f420555511b84f10ab6c";
        assert_string_equal(expected_of_v3(), "");
        take_in("v3.0.0");
        assert_string_equal(expected_of_v3(), digest);
        put("versions/v3.0.0/notes.sql", "select 2;\n");
        assert_string_equal(expected_of_v3(), digest);
        put("versions/v3.0.0/notes.sql", "select 1;\n");
        put("versions/v3.0.0/other.sql", "select 1;\n");
        put("versions/v3.0.0/release.yaml", "schema: {version: v3.0.0, down: {v2.4.0: other.sql}}\n");
        assert_string_equal(expected_of_v3(), SCRIPT_NOT_KNOWN);
        put("versions/v3.0.0/release.yaml", "# mine\n" V3);
        assert_string_equal(expected_of_v3(), SCRIPT_NOT_KNOWN);
        put("versions/v3.0.0/release.yaml", V3);
        assert_string_equal(expected_of_v3(), digest);
        take_in("v3.0.0");
        put("state/manifests/v3.0.0.manifest", "nonsense\n");
        assert_string_equal(expected_of_v3(), SCRIPT_NOT_KNOWN);
}

static void what_one_can_have_left_the_other_works_with(UNUSED void **state) {
        SchemaNeeds narrow = {.declared = true, .works_count = 1, .works_with = {"v2.4.0"}},
                    wide = {.declared = true, .works_count = 2, .works_with = {"v3.0.0", "v2.4.0"}}, silent = {0};
        assert_true(schema_covers(&wide, &narrow));
        assert_true(schema_covers(&narrow, &narrow));
        assert_false(schema_covers(&narrow, &wide));
        assert_false(schema_covers(&wide, &silent));
        assert_false(schema_covers(&silent, &narrow));
}

/* The step is tried again when what comes behind the schema has failed. */
static void rows_that_went_are_said_again_in_the_next_try(UNUSED void **state) {
        static const char words[] = ROWS_LOST_WORDS "public.orders: 9 rows vanish; schema ...";
        take_in("v2.4.0");
        SAYS(SCHEMA_REVERSIBLE, SCHEMA_COMPATIBLE);
        database.loses = true;
        OpResult result = act(STEP_RESTORE_VERSION);
        assert_done(&result, words);
        result = act(STEP_RESTORE_VERSION);
        assert_int_equal(database.restored, 1);
        assert_done(&result, words);
        run.id++;
        result = act(STEP_RESTORE_VERSION);
        assert_null(strstr(result.detail, ROWS_LOST_WORDS));
}

/* ---- step 0 ---- */

static void the_gate_decides_before_anything_is_touched(UNUSED void **state) {
        take_in("v2.4.0");
        OpResult result = act(STEP_PREFLIGHT);
        assert_done(&result, "the gate's words; v2.4.0 is complete, its units load");
        assert_int_equal(database.asked.run_id, 0);
        SAYS(SCHEMA_REVERSIBLE);
        result = act(STEP_PREFLIGHT);
        assert_done(&result, "the gate's words; v2.4.0 is complete");
        SAYS(SCHEMA_REFUSED);
        result = act(STEP_PREFLIGHT);
        assert_failed(&result, "the gate's words");
        SAYS(SCHEMA_UNKNOWN);
        result = prove();
        assert_failed(&result, "isn't known, so nothing was touched: the gate's words");
        assert_true(database.looks > 1);
        database.gate_fails = true;
        result = prove();
        assert_failed(&result, "isn't known, so nothing was touched: the gate timed out");
        SAYS(SCHEMA_UNKNOWN, SCHEMA_COMPATIBLE);
        result = prove();
        assert_done(&result, "the gate's words; v2.4.0 is complete");
        assert_int_equal(database.restored, 0);
        assert_current("v3.0.0");
}

static void an_emergency_goes_on_without_a_database_only_when_that_can_do_no_harm(UNUSED void **state) {
        take_in("v2.4.0");
        run.plan.mode = MODE_EMERGENCY;
        SAYS(SCHEMA_UNKNOWN);
        OpResult result = prove();
        assert_failed(&result, "isn't known, so nothing was touched");
        SAYS(SCHEMA_REFUSED);
        result = act(STEP_PREFLIGHT);
        assert_failed(&result, "the gate's words");
        put("versions/v2.4.0/release.yaml", "schema: {version: v2.4.0, works_with: [v3.0.0]}\n");
        take_in("v2.4.0");
        SAYS(SCHEMA_UNKNOWN);
        result = act(STEP_PREFLIGHT);
        assert_done(&result, "v2.4.0 works with every schema that v3.0.0 works with");
        run.plan.mode = MODE_MANUAL; /* it would not help: the database is what is broken */
        result = prove();
        assert_failed(&result, "isn't known, so nothing was touched");
}

static void what_declares_nothing_is_not_asked_about(UNUSED void **state) {
        put("versions/v2.4.0/release.yaml", "");
        take_in("v2.4.0");
        SAYS(SCHEMA_REFUSED);
        OpResult result = act(STEP_PREFLIGHT);
        assert_done(&result, "v2.4.0 is complete");
        result = act(STEP_RESTORE_VERSION);
        assert_done(&result, "v2.4.0 is current");
        assert_int_equal(database.looks, 0);
}

static void without_a_database_it_is_said(UNUSED void **state) {
        take_in("v2.4.0");
        world.data = NULL;
        OpResult result = act(STEP_PREFLIGHT);
        assert_done(&result, "it declares schema v2.4.0, but no database is configured to ask; v2.4.0 is complete");
}

static void a_wrong_release_yaml_is_refused(UNUSED void **state) {
        put("versions/v2.4.0/release.yaml", "schema: {versoin: v2.4.0}\n");
        take_in("v2.4.0");
        OpResult result = act(STEP_PREFLIGHT);
        assert_failed(&result, "v2.4.0/release.yaml:1:10: unknown key 'versoin' in 'schema'; did you mean 'version'?");
}

/* The gate says no for want of a script: that nobody could read which there are belongs to it. */
static void what_can_not_be_read_of_the_one_that_leaves_is_said(UNUSED void **state) {
        take_in("v2.4.0");
        put("versions/v3.0.0/release.yaml", "schema: {version: 3}\n");
        OpResult result = act(STEP_PREFLIGHT);
        assert_done(&result, "v2.4.0 is complete");
        SAYS(SCHEMA_REFUSED);
        result = act(STEP_PREFLIGHT);
        assert_failed(&result, "the gate's words; nor can its way back be read: ");
}

/* ---- step 4 ---- */

static void a_schema_it_works_with_is_left_alone(UNUSED void **state) {
        OpResult result = act(STEP_RESTORE_VERSION);
        assert_done(&result, "v2.4.0 is current");
        assert_int_equal(database.restored, 0);
        assert_current("v2.4.0");
}

static void the_schema_goes_first(UNUSED void **state) {
        SAYS(SCHEMA_REVERSIBLE);
        run.allow_row_loss = true;
        OpResult result = act(STEP_RESTORE_VERSION);
        assert_done(&result, "schema v3.0.0 -> v2.4.0, dump /state/7.dump; v2.4.0 is current");
        assert_int_equal(database.restored, 1);
        assert_string_equal(database.current_then, "v3.0.0");
        assert_int_equal(database.brought.run_id, 7);
        assert_true(database.brought.allow_row_loss);
        assert_string_equal(database.brought.leaving.down[0].to, "v2.4.0");
        assert_string_equal(lines, "digest of public.orders: 1 of 2 rows");
        assert_current("v2.4.0");
}

static void a_way_back_that_fails_leaves_the_release_where_it_is(UNUSED void **state) {
        SAYS(SCHEMA_REVERSIBLE);
        database.restore_fails = true;
        OpResult result = act(STEP_RESTORE_VERSION);
        assert_failed(&result, "3 rows of public.orders would go");
        assert_current("v3.0.0");
}

static void a_database_that_is_away_is_waited_for(UNUSED void **state) {
        SAYS(SCHEMA_UNKNOWN, SCHEMA_UNKNOWN, SCHEMA_REVERSIBLE);
        OpResult result = act(STEP_RESTORE_VERSION);
        assert_done(&result, "v2.4.0 is current");
        assert_int_equal(database.restored, 1);
        assert_int_equal(database.looks, 3);
}

static void a_database_that_stays_away_fails_the_step(UNUSED void **state) {
        SAYS(SCHEMA_UNKNOWN);
        OpResult result = play(STEP_RESTORE_VERSION, false, 1500 * USEC_PER_MSEC, step_act);
        assert_failed(&result, "whether v2.4.0 can work with the database's schema isn't known: the gate's words");
        assert_int_equal(result.status, OP_FAILED);
        assert_true(database.looks > 1);
        assert_current("v3.0.0");
}

static void a_deployment_is_given_no_script(UNUSED void **state) {
        put("versions/v2.4.0/release.yaml", V3); /* it has one, and is the one that leaves */
        put("versions/v2.4.0/notes.sql", "select 1;\n");
        put("versions/v3.0.0/release.yaml", V2);
        run.plan.kind = RUN_DEPLOYMENT;
        OpResult result = act(STEP_RESTORE_VERSION);
        assert_done(&result, "v3.0.0 is current");
        assert_true(database.asked.target.declared);
        assert_false(database.asked.leaving.declared);
}

/* ---- putting the original back ---- */

static OpResult put_back(int64_t budget_us) {
        return play(STEP_RESTORE_VERSION, true, budget_us, step_act);
}

static void a_deployment_that_failed_is_taken_back_by_its_script(UNUSED void **state) {
        run.plan.kind = RUN_DEPLOYMENT;
        SAYS(SCHEMA_REVERSIBLE);
        OpResult result = put_back(10 * USEC_PER_SEC);
        assert_done(&result, "schema v3.0.0 -> v2.4.0");
        assert_string_equal(database.brought.release, "v2.4.0");
        assert_string_equal(database.brought.leaving.down[0].to, "v2.4.0");
}

static void an_original_that_can_not_work_any_more_is_not_started_silently(UNUSED void **state) {
        run.steps[STEP_RESTORE_VERSION] =
                (StepRecord){.state = STEP_DONE, .attempt = 1, .detail = "schema v3.0.0 -> v2.4.0, dump /state/7.dump"};
        SAYS(SCHEMA_REFUSED);
        OpResult result = put_back(10 * USEC_PER_SEC);
        assert_failed(&result, "dump /state/7.dump. the gate's words");
}

static void an_original_whose_schema_nobody_touched_goes_back_without_a_database(UNUSED void **state) {
        SAYS(SCHEMA_UNKNOWN);
        OpResult result = put_back(1100 * USEC_PER_MSEC);
        assert_done(&result, "but this run hasn't changed its schema; v3.0.0 is current");
        /* the target was started: it may have changed it */
        run.steps[STEP_START_VERSION].attempt = 1;
        result = put_back(1100 * USEC_PER_MSEC);
        assert_failed(&result, "whether v3.0.0 can work with the database's schema isn't known");
        run.steps[STEP_START_VERSION].attempt = 0;
        /* without a journal nothing is known */
        Journal *kept = TAKE_PTR(journal);
        result = put_back(1100 * USEC_PER_MSEC);
        journal = kept;
        assert_failed(&result, "isn't known");
        /* this run has begun to take it back, in another life */
        SAYS(SCHEMA_REVERSIBLE);
        database.restore_fails = true;
        result = act(STEP_RESTORE_VERSION);
        assert_failed(&result, "rows of public.orders would go");
        SAYS(SCHEMA_UNKNOWN);
        result = put_back(1100 * USEC_PER_MSEC);
        assert_failed(&result, "isn't known");
        /* that was another run */
        run.id = 8;
        result = put_back(1100 * USEC_PER_MSEC);
        assert_done(&result, "v3.0.0 is current");
}

static void an_original_that_works_with_both_goes_back_at_once(UNUSED void **state) {
        put("versions/v3.0.0/release.yaml", V3_COMES_FROM_V2);
        run.steps[STEP_START_VERSION].attempt = 1;
        SAYS(SCHEMA_UNKNOWN);
        OpResult result = put_back(10 * USEC_PER_SEC);
        assert_done(&result, "v3.0.0 works with every schema that v2.4.0 works with; v3.0.0 is current");
        assert_int_equal(database.looks, 1);
}

/* ---- the probe ---- */

static void the_probe_includes_the_schema(UNUSED void **state) {
        static const struct {
                SchemaVerdict verdict;
                ProbeAnswer answer;
        } cases[] = {
                {SCHEMA_COMPATIBLE, PROBE_YES},
                {SCHEMA_REVERSIBLE, PROBE_NO},
                {SCHEMA_REFUSED, PROBE_NO},
                {SCHEMA_UNKNOWN, PROBE_UNKNOWN},
        };
        OpResult result = play(STEP_RESTORE_VERSION, false, USEC_PER_SEC, step_probe);
        assert_int_equal(result.number, PROBE_NO); /* v3.0.0 is current */
        assert_int_equal(database.looks, 0);
        result = act(STEP_RESTORE_VERSION);
        assert_done(&result, "v2.4.0 is current");
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                SAYS(cases[i].verdict);
                result = play(STEP_RESTORE_VERSION, false, USEC_PER_SEC, step_probe);
                assert_int_equal(result.status, OP_DONE);
                assert_int_equal(result.number, cases[i].answer);
        }
        database.gate_fails = true;
        result = play(STEP_RESTORE_VERSION, false, USEC_PER_SEC, step_probe);
        assert_int_equal(result.number, PROBE_UNKNOWN);
        put("versions/v2.4.0/release.yaml", "");
        result = play(STEP_RESTORE_VERSION, false, USEC_PER_SEC, step_probe);
        assert_int_equal(result.number, PROBE_YES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_request_holds_what_both_say),
                TEST(a_script_must_be_what_was_taken_in),
                TEST(rows_that_went_are_said_again_in_the_next_try),
                TEST(what_one_can_have_left_the_other_works_with),
                TEST(the_gate_decides_before_anything_is_touched),
                TEST(an_emergency_goes_on_without_a_database_only_when_that_can_do_no_harm),
                TEST(what_declares_nothing_is_not_asked_about),
                TEST(without_a_database_it_is_said),
                TEST(a_wrong_release_yaml_is_refused),
                TEST(what_can_not_be_read_of_the_one_that_leaves_is_said),
                TEST(a_schema_it_works_with_is_left_alone),
                TEST(the_schema_goes_first),
                TEST(a_way_back_that_fails_leaves_the_release_where_it_is),
                TEST(a_database_that_is_away_is_waited_for),
                TEST(a_database_that_stays_away_fails_the_step),
                TEST(a_deployment_is_given_no_script),
                TEST(a_deployment_that_failed_is_taken_back_by_its_script),
                TEST(an_original_that_can_not_work_any_more_is_not_started_silently),
                TEST(an_original_whose_schema_nobody_touched_goes_back_without_a_database),
                TEST(an_original_that_works_with_both_goes_back_at_once),
                TEST(the_probe_includes_the_schema),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
