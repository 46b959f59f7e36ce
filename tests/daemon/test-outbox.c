/* The delivery of what is told: its order, its pauses, what is given up, and what a successor finds. Sending is scripted here, and
 * what the engine waits for comes at once: how long it would have waited is noted. */
#include "base/clock.h"
#include "daemon/outbox-send.h"
#include "daemon/outbox.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ---- the scripted world ---- */

#define SENT_MAX 64

static struct Sent {
        char receiver[32], path[64], body[1024];
        int64_t budget_us;
        SentCallback callback; /* NULL: answered */
        void *userdata;
} sent[SENT_MAX];
static unsigned sent_count;
static unsigned fails_left; /* sending can't even begin, so many times */
static int64_t waits[SENT_MAX], mono_offset;
static unsigned wait_count;
static bool under_way;
static char failing[512];

int __wrap_sending_begin(HttpClient *http, const struct ConfigReceiver *receiver, const char *path, const char *headers,
                         const char *body, int64_t budget_us, SentCallback callback, void *userdata,
                         Sending **ret_sending, Error *error);
Sending *__wrap_sending_cancel(Sending *sending);
int __real_sd_event_add_time_relative(sd_event *event, sd_event_source **ret, clockid_t clock, uint64_t usec,
                                      uint64_t accuracy, sd_event_time_handler_t handler, void *userdata);
int __wrap_sd_event_add_time_relative(sd_event *event, sd_event_source **ret, clockid_t clock, uint64_t usec,
                                      uint64_t accuracy, sd_event_time_handler_t handler, void *userdata);
int __real_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec);
int __wrap_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec);
int64_t __real_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void);

int __wrap_sending_begin(UNUSED HttpClient *http, const struct ConfigReceiver *receiver, const char *path,
                         UNUSED const char *headers, const char *body, int64_t budget_us, SentCallback callback,
                         void *userdata, Sending **ret_sending, Error *error) {
        if (fails_left > 0) {
                fails_left--;
                return error_set(error, -EPERM, "/secret: others may read it");
        }
        assert_true(sent_count < SENT_MAX);
        struct Sent *one = &sent[sent_count++];
        *one = (struct Sent){.budget_us = budget_us, .callback = callback, .userdata = userdata};
        snprintf(one->receiver, sizeof one->receiver, "%s", receiver->name);
        snprintf(one->path, sizeof one->path, "%s", path);
        snprintf(one->body, sizeof one->body, "%s", body);
        *ret_sending = (Sending *)one;
        return 0;
}

Sending *__wrap_sending_cancel(Sending *sending) {
        if (sending)
                ((struct Sent *)(void *)sending)->callback = NULL;
        return NULL;
}

/* The hourly sweep is let wait; every pause is over at once. */
static uint64_t note_wait(uint64_t usec) {
        if (usec == 0 || usec >= 3600 * (uint64_t)USEC_PER_SEC)
                return usec;
        waits[wait_count++ % SENT_MAX] = (int64_t)(usec / (uint64_t)USEC_PER_SEC);
        return 0;
}

int __wrap_sd_event_add_time_relative(sd_event *event, sd_event_source **ret, clockid_t clock, uint64_t usec,
                                      uint64_t accuracy, sd_event_time_handler_t handler, void *userdata) {
        return __real_sd_event_add_time_relative(event, ret, clock, note_wait(usec), accuracy, handler, userdata);
}

int __wrap_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec) {
        return __real_sd_event_source_set_time_relative(source, note_wait(usec));
}

int64_t __wrap_clock_mono_us(void) {
        return __real_clock_mono_us() + mono_offset;
}

static bool hurry(UNUSED void *userdata) {
        return under_way;
}

static void note_failing(UNUSED void *userdata, const char *message) {
        snprintf(failing, sizeof failing, "%s", message ? message : "");
}

/* ---- a stage ---- */

static char directory[] = "/tmp/test-outbox-XXXXXX";

typedef struct Stage {
        sd_event *event;
        Config *config;
        Journal *journal;
        Outbox *outbox;
} Stage;

#define TEAM "team: {notify: 'http://h'}"

static void open_outbox(Stage *stage, int64_t pages_since) {
        const OutboxHooks hooks = {.hurry = hurry, .failing = note_failing};
        const OutboxSettings settings = {
                .event = stage->event,
                .config = stage->config,
                .journal = stage->journal,
                .sender = {.service = "s", .environment = "e", .artifact = "a", .host = "h", .program_version = "0"},
                .pages_since_wall = pages_since};
        Error error = {0};
        if (outbox_new(&settings, &hooks, NULL, &stage->outbox, &error) < 0)
                fail_msg("%s", error_text(&error));
}

/* `receivers`: lines of YAML's flow style; `name` of the journal, NULL: none. */
static Stage open_stage(const char *name, const char *receivers) {
        char text[1024], path[PATH_MAX];
        Stage stage = {0};
        Error error = {0};
        snprintf(text, sizeof text, "health: {url: 'http://h/'}\nreceivers: {%s}\n", receivers);
        assert_true(sd_event_new(&stage.event) >= 0);
        if (config_load_text("test", text, strlen(text), &stage.config, &error) < 0)
                fail_msg("%s", error_text(&error));
        snprintf(path, sizeof path, "%s/%s", directory, name ? name : "");
        if (name && journal_open(path, &stage.journal, &error) < 0)
                fail_msg("%s", error_text(&error));
        sent_count = wait_count = 0;
        fails_left = 0;
        mono_offset = 0;
        under_way = false;
        failing[0] = '\0';
        open_outbox(&stage, 0);
        return stage;
}

static void close_stage(Stage *stage) {
        outbox_free(stage->outbox);
        journal_close(stage->journal);
        config_free(stage->config);
        sd_event_unref(stage->event);
}

static void settle(const Stage *stage) {
        while (sd_event_run(stage->event, 0) > 0)
                ;
}

static void put_end(const Stage *stage, const char *text, NewsKind kind, Severity severity, bool ends_p0) {
        News news = {.kind = kind,
                     .severity = severity,
                     .ends_p0 = ends_p0,
                     .text = text,
                     .source = "metrics",
                     .from = "",
                     .to = "",
                     .run_kind = "rollback",
                     .mode = "manual",
                     .outcome = "",
                     .reason = "",
                     .by = ""};
        snprintf(news.event, sizeof news.event, "event/%s", text);
        outbox_put(stage->outbox, &news);
        settle(stage);
}

static void put(const Stage *stage, const char *text, NewsKind kind, Severity severity) {
        put_end(stage, text, kind, severity, false);
}

static void alert(const Stage *stage, const char *text) {
        put(stage, text, NEWS_ALERT, SEVERITY_P1);
}

/* The newest that the receiver was sent and has not answered. */
static struct Sent *on_its_way(const char *receiver) {
        struct Sent *found = NULL;
        for (unsigned i = 0; i < sent_count; i++)
                if (sent[i].callback && strcmp(sent[i].receiver, receiver) == 0) {
                        assert_null(found); /* one at a time */
                        found = &sent[i];
                }
        return found;
}

static void reply(const Stage *stage, const char *receiver, TellVerdict verdict, int64_t retry_after_us) {
        struct Sent *one = on_its_way(receiver);
        assert_non_null(one);
        SentCallback callback = one->callback;
        one->callback = NULL;
        callback(one->userdata, verdict, retry_after_us, verdict == TELL_DELIVERED ? "200" : "503");
        settle(stage);
}

static void assert_next(const char *receiver, const char *text) {
        const struct Sent *one = on_its_way(receiver);
        assert_non_null(one);
        if (!strstr(one->body, text))
                fail_msg("%s is sent %s, not %s", receiver, one->body, text);
}

static ReceiverView view_of(const Stage *stage, unsigned index) {
        ReceiverView view;
        outbox_view(stage->outbox, index, &view);
        return view;
}

/* ---- the tests ---- */

static void test_in_order_and_apart(UNUSED void **state) {
        Stage stage = open_stage("order", TEAM ", other: {notify: 'http://o'}");
        alert(&stage, "one");
        alert(&stage, "two");
        assert_next("team", "one");
        assert_next("other", "one");
        reply(&stage, "other", TELL_DELIVERED, -1);
        assert_next("other", "two"); /* the first doesn't hold it up */
        reply(&stage, "other", TELL_DELIVERED, -1);
        assert_null(on_its_way("other"));
        assert_next("team", "one");
        reply(&stage, "team", TELL_AGAIN, -1);
        assert_next("team", "one"); /* before what comes after it */
        reply(&stage, "team", TELL_DELIVERED, -1);
        assert_next("team", "two");
        assert_int_equal(view_of(&stage, 0).waiting, 1);
        assert_int_equal(view_of(&stage, 1).delivered, 2);
        close_stage(&stage);
}

static void test_pauses(UNUSED void **state) {
        static const int64_t wanted[] = {1, 2, 4, 8, 16, 32, 60, 60, 90, 600, 60};
        Stage stage = open_stage("pauses", TEAM);
        alert(&stage, "one");
        for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++)
                reply(&stage, "team", TELL_AGAIN, i == 8 ? 90 * USEC_PER_SEC : i == 9 ? 86400 * USEC_PER_SEC : -1);
        assert_int_equal(wait_count, ARRAY_SIZE(wanted));
        for (unsigned i = 0; i < wait_count; i++)
                assert_int_equal(waits[i], wanted[i]);
        reply(&stage, "team", TELL_DELIVERED, -1);
        alert(&stage, "two");
        reply(&stage, "team", TELL_AGAIN, -1);
        assert_int_equal(waits[wait_count - 1], 1); /* it begins anew */
        close_stage(&stage);
}

static void test_refused_and_gone(UNUSED void **state) {
        Stage stage = open_stage("refused", TEAM);
        alert(&stage, "one");
        alert(&stage, "two");
        reply(&stage, "team", TELL_REFUSED, -1);
        assert_next("team", "two");
        reply(&stage, "team", TELL_GONE, -1);
        alert(&stage, "three");
        assert_null(on_its_way("team"));
        ReceiverView view = view_of(&stage, 0);
        assert_true(view.gone);
        assert_int_equal(view.dropped, 2);
        assert_int_equal(view.waiting, 1);
        close_stage(&stage);
}

/* Whoever dies with a message on its way leaves it to the next, as it was. */
static void test_a_successor_goes_on(UNUSED void **state) {
        Stage stage = open_stage("successor", TEAM);
        alert(&stage, "one");
        alert(&stage, "two");
        char before[sizeof sent[0].body];
        memcpy(before, on_its_way("team")->body, sizeof before);
        outbox_free(stage.outbox);
        open_outbox(&stage, 0);
        settle(&stage);
        assert_string_equal(on_its_way("team")->body, before);
        alert(&stage, "one"); /* told anew by who doesn't know that it was */
        reply(&stage, "team", TELL_DELIVERED, -1);
        assert_next("team", "two");
        reply(&stage, "team", TELL_DELIVERED, -1);
        assert_null(on_its_way("team"));
        close_stage(&stage);
}

static void test_what_is_given_up(UNUSED void **state) {
        const OutboxEntry entries[] = {{.receiver = "team", .driver = "notify", .event = "old", .made_wall = 1},
                                       {.receiver = "team", .driver = "otlp", .event = "other form"},
                                       {.receiver = "team", .driver = "notify", .event = "event/new", .body = "new"}};
        Stage stage = open_stage("given-up", TEAM);
        Error error = {0};
        settle(&stage); /* the sweep is over: it would take the first */
        for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
                OutboxEntry entry = entries[i];
                if (entry.made_wall == 0)
                        entry.made_wall = clock_wall_us();
                assert_int_equal(journal_outbox_add(stage.journal, &entry, 1, NULL, &error), 0);
        }
        alert(&stage, "newest");
        assert_next("team", "new");
        assert_int_equal(view_of(&stage, 0).dropped, 2);
        close_stage(&stage);
}

/* Without a journal, or on a full disk: once, from memory. */
static void test_what_can_not_be_kept(UNUSED void **state) {
        Stage stage = open_stage(NULL, TEAM);
        alert(&stage, "one");
        alert(&stage, "two");
        assert_next("team", "one");
        reply(&stage, "team", TELL_AGAIN, -1);
        assert_next("team", "two");
        reply(&stage, "team", TELL_DELIVERED, -1);
        assert_null(on_its_way("team"));
        assert_int_equal(view_of(&stage, 0).waiting, -1);
        close_stage(&stage);
}

static void test_one_that_fails_for_long_is_said(UNUSED void **state) {
        Stage stage = open_stage("failing", TEAM);
        alert(&stage, "one");
        reply(&stage, "team", TELL_AGAIN, -1);
        assert_string_equal(failing, "");
        mono_offset = 301 * USEC_PER_SEC;
        reply(&stage, "team", TELL_AGAIN, -1);
        assert_non_null(strstr(failing, "receiver team has taken nothing since "));
        reply(&stage, "team", TELL_DELIVERED, -1);
        assert_string_equal(failing, "");
        /* a secret that can't be read is a failure like any other; it is looked at again at each try */
        fails_left = 3;
        alert(&stage, "two");
        assert_int_equal(fails_left, 0);
        assert_string_equal(view_of(&stage, 0).error, "/secret: others may read it");
        assert_next("team", "two");
        close_stage(&stage);
}

static void test_who_hears_of_what(UNUSED void **state) {
        Stage stage = open_stage(
                "who", TEAM ", urgent: {notify: 'http://u', severity: P0}, runs: {notify: 'http://r', about: [runs]}");
        alert(&stage, "one");
        assert_non_null(on_its_way("team"));
        assert_null(on_its_way("urgent"));
        assert_null(on_its_way("runs"));
        put(&stage, "two", NEWS_ALERT, SEVERITY_P0);
        assert_string_equal(on_its_way("urgent")->path, "/page");
        put(&stage, "three", NEWS_RUN_BEGUN, SEVERITY_P1);
        assert_next("runs", "three");
        close_stage(&stage);
}

/* The end of what was P0 is told to whom its beginning was, as what it is: nobody is paged by it. */
static void test_who_hears_of_an_end(UNUSED void **state) {
        Stage stage = open_stage("end", "urgent: {notify: 'http://u', severity: P0}");
        put_end(&stage, "one", NEWS_RUN_ENDED, SEVERITY_P1, false);
        assert_null(on_its_way("urgent"));
        put_end(&stage, "two", NEWS_RUN_ENDED, SEVERITY_P1, true);
        assert_next("urgent", "two");
        assert_string_equal(on_its_way("urgent")->path, "/notify");
        close_stage(&stage);
}

/* While a run is under way nobody gets long. */
static void test_hurry(UNUSED void **state) {
        Stage stage = open_stage("hurry",
                                 "team: {notify: 'http://h', timeout: 30s}, quick: {notify: 'http://q', timeout: 1s}");
        under_way = true;
        alert(&stage, "one");
        assert_int_equal(on_its_way("team")->budget_us, 2 * USEC_PER_SEC);
        assert_int_equal(on_its_way("quick")->budget_us, USEC_PER_SEC);
        under_way = false;
        reply(&stage, "team", TELL_AGAIN, -1);
        assert_int_equal(on_its_way("team")->budget_us, 30 * USEC_PER_SEC);
        close_stage(&stage);
}

/* Break glass: what pages, once; the rest is for a controller. */
static void test_pages_alone(UNUSED void **state) {
        Stage stage = open_stage("pages", TEAM);
        alert(&stage, "before");
        outbox_free(stage.outbox);
        open_outbox(&stage, clock_wall_us());
        alert(&stage, "one");
        assert_null(on_its_way("team"));
        put(&stage, "two", NEWS_ALERT, SEVERITY_P0);
        assert_next("team", "two");
        assert_true(outbox_busy(stage.outbox));
        reply(&stage, "team", TELL_AGAIN, -1);
        assert_null(on_its_way("team"));
        assert_false(outbox_busy(stage.outbox));
        assert_int_equal(view_of(&stage, 0).waiting, 3);
        close_stage(&stage);
}

static void test_what_stands_is_repeated(UNUSED void **state) {
        Stage stage = open_stage("repeat", TEAM ", oncall: {alertmanager: 'http://a'}");
        News news = {.kind = NEWS_ALERT, .text = "still so", .source = "metrics", .run_kind = "", .mode = ""};
        alert(&stage, "one");
        reply(&stage, "team", TELL_DELIVERED, -1);
        outbox_repeat(stage.outbox, &news, 1);
        settle(&stage);
        assert_next("oncall", "one"); /* first what waits */
        reply(&stage, "oncall", TELL_DELIVERED, -1);
        assert_null(on_its_way("oncall"));
        outbox_repeat(stage.outbox, &news, 1);
        settle(&stage);
        assert_next("oncall", "still so");
        assert_null(on_its_way("team"));
        reply(&stage, "oncall", TELL_AGAIN, -1);
        assert_null(on_its_way("oncall")); /* the next time is soon enough */
        close_stage(&stage);
}

static int make_directory(UNUSED void **state) {
        return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(UNUSED void **state) {
        char command[PATH_MAX];
        snprintf(command, sizeof command, "rm -rf '%s'", directory);
        return system(command);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_in_order_and_apart),
                cmocka_unit_test(test_pauses),
                cmocka_unit_test(test_refused_and_gone),
                cmocka_unit_test(test_a_successor_goes_on),
                cmocka_unit_test(test_what_is_given_up),
                cmocka_unit_test(test_what_can_not_be_kept),
                cmocka_unit_test(test_one_that_fails_for_long_is_said),
                cmocka_unit_test(test_who_hears_of_what),
                cmocka_unit_test(test_who_hears_of_an_end),
                cmocka_unit_test(test_hurry),
                cmocka_unit_test(test_pages_alone),
                cmocka_unit_test(test_what_stands_is_repeated),
        };
        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
