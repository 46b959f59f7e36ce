/* Who is told: how each receiver does, and a message sent to one to see it arrive. */
#include "api/wire.h"
#include "base/exit-codes.h"
#include "base/mask.h"
#include "base/nearest.h"
#include "core/words.h"
#include "daemon/audit.h"
#include "daemon/operations.h"
#include "daemon/outbox-send.h"
#include "daemon/telling.h"

#include <errno.h>
#include <string.h>

static const char *state_of(const ReceiverView *view) {
        return view->gone ? "gone" : view->failing_wall ? "failing" : view->delivered_wall ? "delivering" : "unused";
}

static json_t *receiver_json(const ReceiverView *view) {
        char address[512];
        mask_url(settings_string(view->config->settings, view->config->driver), address, sizeof address);
        return json_pack("{s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "name", view->config->name,
                         "form", view->config->driver, "address", wire_text(address), "state", state_of(view),
                         "waiting", view->waiting < 0 ? json_null() : json_integer(view->waiting), "oldest",
                         wire_time(view->waiting > 0 ? view->oldest_wall : 0), "delivered_at",
                         wire_time(view->delivered_wall), "failing_since", wire_time(view->failing_wall), "error",
                         wire_text_or_null(view->error), "delivered", (json_int_t)view->delivered, "failed",
                         (json_int_t)view->failed, "dropped", (json_int_t)view->dropped);
}

int op_receivers(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        Outbox *outbox = telling_outbox(self);
        json_t *list = json_array();
        ReceiverView view;
        int r = 0;
        (void)arguments;
        (void)caller;
        for (unsigned i = 0; r == 0 && i < outbox_count(outbox); i++) {
                outbox_view(outbox, i, &view);
                r = json_array_append_new(list, receiver_json(&view));
        }
        if (r < 0) {
                json_decref(list);
                list = NULL;
        }
        return answer(json_pack("{s:o}", "receivers", list), ret_answer, problem);
}

/* ---- a test ---- */

typedef struct ReceiverTest {
        Controller *controller;
        const struct ConfigReceiver *receiver;
        ApiReply *reply;
        Sending *sending;
} ReceiverTest;

static const struct ConfigReceiver *find(const Controller *controller, const char *name) {
        const Config *config = controller->config;
        for (unsigned i = 0; i < config->receiver_count; i++)
                if (strcmp(config->receivers[i].name, name) == 0)
                        return &config->receivers[i];
        return NULL;
}

static int no_such_receiver(const Controller *controller, const char *name, Problem *problem) {
        const Config *config = controller->config;
        char names[ERROR_MESSAGE_MAX / 2] = "";
        const char *near = NULL;
        for (unsigned i = 0; i < config->receiver_count; i++) {
                words_append(names, sizeof names, "%s%s", i ? ", " : "", config->receivers[i].name);
                near = nearer_word(name, near, config->receivers[i].name);
        }
        return problem_set(problem, 404, EXIT_NO_INPUT, "No such receiver",
                           "there is no receiver '%.40s'%s%s%s There are: %s", name, near ? "; did you mean '" : ".",
                           near ? near : "", near ? "'?" : "", names[0] ? names : "none; name them below receivers:");
}

static void on_sent(void *userdata, TellVerdict verdict, int64_t retry_after_us, const char *detail) {
        ReceiverTest *test = userdata;
        ApiReply *reply = test->reply;
        json_t *value = json_pack("{s:s, s:b, s:o}", "name", test->receiver->name, "delivered",
                                  (int)(verdict == TELL_DELIVERED), "detail", wire_text(detail));
        (void)retry_after_us;
        test->controller->receiver_test = NULL;
        free(test);
        api_reply(reply, 200, value, NULL);
}

static int begin_test(ReceiverTest *test, const char *by, Problem *problem) {
        NewsMessage message = {0};
        Error error = {0};
        int r = telling_test(test->controller, test->receiver, by, &message);
        if (r < 0)
                return problem_set(problem, 503, EXIT_INTERNAL, "No test", "the message could not be made: %s",
                                   strerror(-r));
        r = sending_begin(test->controller->world->context.http, test->receiver, message.path, message.headers,
                          message.body, settings_int(test->receiver->settings, "timeout"), on_sent, test,
                          &test->sending, &error);
        news_message_clear(&message);
        return r < 0 ? problem_set(problem, 503, EXIT_IO, "The message can't be sent", "%s", error_text(&error)) : 0;
}

int op_receiver_test(void *self, const json_t *arguments, const Caller *caller, ApiReply *reply, Problem *problem) {
        Controller *controller = self;
        const char *name = text_of(arguments, "name");
        const struct ConfigReceiver *receiver = find(controller, name);
        if (!receiver)
                return no_such_receiver(controller, name, problem);
        if (controller->receiver_test)
                return problem_set(problem, 409, EXIT_TRY_LATER, "Another test is under way",
                                   "%s is being sent a test message; try again in a moment",
                                   controller->receiver_test->receiver->name);
        ReceiverTest *test = calloc(1, sizeof *test);
        if (!test)
                return problem_set(problem, 503, EXIT_INTERNAL, "Out of memory", "no memory left to send it");
        *test = (ReceiverTest){.controller = controller, .receiver = receiver, .reply = reply};
        if (begin_test(test, caller->name, problem) < 0) {
                free(test);
                return -1;
        }
        controller->receiver_test = test;
        return 0;
}

void receiver_test_cancel(Controller *controller) {
        ReceiverTest *test = controller->receiver_test;
        Problem problem = {0};
        if (!test)
                return;
        sending_cancel(test->sending);
        problem_set(&problem, 503, EXIT_UNAVAILABLE, "The controller ends", "the message may have arrived");
        api_reply(test->reply, 0, NULL, &problem);
        free(test);
        controller->receiver_test = NULL;
}
