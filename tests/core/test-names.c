#include "core/names.h"

#include "core-test.h"

#include <errno.h>
#include <string.h>

/* Every value has its own word, the word leads back to it, and values out of range and unknown words are refused. */
#define ROUND_TRIP(Type, name, parse, last)                                                                            \
        do {                                                                                                           \
                for (unsigned i = 0; i <= (unsigned)(last); i++) {                                                     \
                        Type back = (Type)~0U;                                                                         \
                        assert_int_equal(parse(name((Type)i), &back), 0);                                              \
                        assert_int_equal((unsigned)back, i);                                                           \
                }                                                                                                      \
                Type kept = (Type)0;                                                                                   \
                assert_string_equal(name((Type)((unsigned)(last) + 1)), "invalid");                                    \
                assert_int_equal(parse("nonsense", &kept), -EINVAL);                                                   \
                assert_int_equal(parse("", &kept), -EINVAL);                                                           \
                assert_int_equal(parse(NULL, &kept), -EINVAL);                                                         \
                assert_int_equal((unsigned)kept, 0);                                                                   \
        } while (0)

static void every_name_reads_back(void **state UNUSED) {
        ROUND_TRIP(RunPhase, run_phase_name, run_phase_parse, RUN_HOLDING);
        ROUND_TRIP(RunOutcome, run_outcome_name, run_outcome_parse, OUTCOME_HELD);
        ROUND_TRIP(RunKind, run_kind_name, run_kind_parse, RUN_ROLLBACK);
        ROUND_TRIP(RunMode, run_mode_name, run_mode_parse, MODE_EMERGENCY);
        ROUND_TRIP(StepState, step_state_name, step_state_parse, STEP_SKIPPED);
        ROUND_TRIP(ReleaseState, release_state_name, release_state_parse, RELEASE_FAILED);
        ROUND_TRIP(DecisionKind, decision_kind_name, decision_kind_parse, DECISION_REVIEW);
        ROUND_TRIP(Guard, guard_key, guard_parse, GUARD_SHADOW);
}

/* The API's document promises these. */
static void names_are_the_promised_ones(void **state UNUSED) {
        assert_string_equal(run_phase_name(RUN_FORWARD), "forward");
        assert_string_equal(run_outcome_name(OUTCOME_PUT_BACK), "put_back");
        assert_string_equal(step_state_name(STEP_TIMED_OUT), "timed_out");
        assert_string_equal(sample_state_name(SAMPLE_UNKNOWN), "unknown");
        assert_string_equal(sample_state_name(SAMPLE_HEALTHY), "healthy");
        assert_string_equal(sample_state_name(SAMPLE_DEGRADED), "degraded");
}

static void triggers_have_names_and_keys(void **state UNUSED) {
        for (unsigned bit = 1; bit <= TRIGGER_BYZANTINE; bit <<= 1) {
                Trigger back = (Trigger)0;
                assert_string_not_equal(trigger_name((Trigger)bit), "invalid");
                assert_int_equal(trigger_parse(trigger_key((Trigger)bit), &back), 0);
                assert_int_equal((unsigned)back, bit);
        }
        Trigger kept = TRIGGER_OUTAGE;
        assert_int_equal(trigger_parse("cpu", &kept), -EINVAL);
        assert_int_equal(trigger_parse(NULL, &kept), -EINVAL);
        assert_int_equal(kept, TRIGGER_OUTAGE);
        assert_string_equal(trigger_name((Trigger)3), "invalid"); /* two bits are no trigger */
        assert_string_equal(trigger_key(TRIGGER_ERROR_RATE), "error_rate");
        assert_string_equal(trigger_key(TRIGGER_QUORUM), "quorum");
        assert_string_equal(trigger_key(TRIGGER_BYZANTINE), "byzantine");
}

static void every_guard_explains_itself(void **state UNUSED) {
        assert_string_equal(guard_text(GUARD_NONE), "");
        for (unsigned i = GUARD_NONE + 1; i <= GUARD_SHADOW; i++)
                assert_true(strlen(guard_text((Guard)i)) > 20);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_name_reads_back),
                cmocka_unit_test(names_are_the_promised_ones),
                cmocka_unit_test(triggers_have_names_and_keys),
                cmocka_unit_test(every_guard_explains_itself),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
