/* How long ago the newest deployment was made. Baking and being armed go by that, and must not end early, or never, because somebody
 * set the wall clock. So it is counted with the clock that never jumps, and noted in the journal for the processes of this boot
 * that come after us. Only across a boot the wall clock has to be believed; a deployment that then lies in the future counts as
 * made just now. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/controller.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

#define NOTE_KEY "deployment_since"
#define NOTE_MAX 96
#define STEP_SHOWN_US (1 * USEC_PER_SEC) /* less is how the two clocks drift, no step */

static bool read_boot(char ret_boot[SD_ID128_STRING_MAX]) {
        sd_id128_t boot;
        if (sd_id128_get_boot(&boot) < 0)
                return false;
        sd_id128_to_string(boot, ret_boot);
        return true;
}

static void note(const Controller *controller) {
        char boot[SD_ID128_STRING_MAX], text[NOTE_MAX];
        Error error = {0};
        if (!controller->journal || controller->role == ROLE_READER || controller->deployment.id == 0 ||
            !read_boot(boot))
                return;
        snprintf(text, sizeof text, "%" PRId64 " %s %" PRId64, controller->deployment.id, boot,
                 controller->deployment_since_mono);
        if (journal_set_value(controller->journal, NOTE_KEY, text, &error) < 0)
                log_warn("the moment of the deployment could not be journalled: %s", error_text(&error));
}

static bool read_note(const Controller *controller, int64_t now_mono, int64_t *ret_since_mono) {
        char text[NOTE_MAX], boot[SD_ID128_STRING_MAX], noted_boot[SD_ID128_STRING_MAX];
        int64_t id, since;
        Error error = {0};
        if (!controller->journal || !read_boot(boot) ||
            journal_get_value(controller->journal, NOTE_KEY, text, sizeof text, &error) != 1 ||
            sscanf(text, "%" SCNd64 " %32s %" SCNd64, &id, noted_boot, &since) != 3)
                return false;
        if (id != controller->deployment.id || strcmp(boot, noted_boot) != 0 || since > now_mono)
                return false;
        *ret_since_mono = since;
        return true;
}

void deployment_made_now(Controller *controller) {
        controller->deployment_since_mono = clock_mono_us();
        note(controller);
}

void deployment_remembered(Controller *controller, int64_t before_id) {
        if (!controller->deployment_known || (before_id != 0 && before_id == controller->deployment.id))
                return;
        int64_t now_mono = clock_mono_us();
        if (read_note(controller, now_mono, &controller->deployment_since_mono))
                return;
        int64_t age = clock_wall_us() - controller->deployment.at_wall;
        controller->deployment_since_mono = now_mono - (age > 0 ? age : 0);
        note(controller);
}

int64_t deployment_age(const Controller *controller) {
        return controller->deployment_known ? clock_mono_us() - controller->deployment_since_mono : 0;
}

bool deployment_armed(const Controller *controller, int64_t *ret_until_wall) {
        const Deployment *deployment = &controller->deployment;
        int64_t age = deployment_age(controller), left, until = 0;
        bool armed =
                policy_armed(&controller->config->rules, controller->deployment_known ? deployment : NULL, age, &left);
        if (armed && left > 0) {
                int64_t step = clock_wall_us() - age - deployment->at_wall; /* of the wall clock, since it was made */
                until = deployment->at_wall + age + left + (llabs(step) < STEP_SHOWN_US ? 0 : step);
        }
        if (ret_until_wall)
                *ret_until_wall = until;
        return armed;
}
