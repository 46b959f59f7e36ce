#include "core/ready.h"

#include "core/words.h"

static const struct {
        const char *key, *title;
} items[READY_ITEMS] = {
        [READY_RELEASE] = {"release", "Release as it was taken in"},
        [READY_CONFIGURATION] = {"configuration", "Saved configuration"},
        [READY_UNITS] = {"units", "Units load"},
        [READY_PROGRAMS] = {"programs", "Programs of the units"},
        [READY_LIBRARIES] = {"libraries", "Shared libraries"},
        [READY_DATABASE] = {"database", "Database schema"},
        [READY_PORT] = {"port", "Port"},
        [READY_SPACE] = {"space", "Disk space"},
        [READY_BALANCER] = {"balancer", "Balancer"},
        [READY_TRIAL] = {"trial", "Trial start"},
};

const char *ready_item_key(ReadyItem item) {
        return items[item].key;
}

const char *ready_item_title(ReadyItem item) {
        return items[item].title;
}

const char *ready_verdict_name(ReadyVerdict verdict) {
        static const char *const names[] = {[READY_UNKNOWN] = "unknown",
                                            [READY_OK] = "ok",
                                            [READY_FAILED] = "failed",
                                            [READY_NOT_APPLICABLE] = "not_applicable"};
        return names[verdict];
}

static const ReadyCheck *first(const Ready *ready, ReadyVerdict verdict, unsigned *ret_item) {
        for (unsigned i = 0; i < READY_ITEMS; i++)
                if (ready->checks[i].verdict == verdict) {
                        *ret_item = i;
                        return &ready->checks[i];
                }
        return NULL;
}

Tristate ready_judge(const Ready *ready, char *words, size_t size) {
        unsigned item = 0, proven = 0;
        words[0] = '\0';
        if (ready->at_wall == 0) {
                words_append(words, size, "not yet looked at");
                return KNOWN_NOT;
        }
        const ReadyCheck *failed = first(ready, READY_FAILED, &item);
        const ReadyCheck *check = failed ? failed : first(ready, READY_UNKNOWN, &item);
        if (check) {
                words_append(words, size, "%s: %s", items[item].key, check->measured);
                return failed ? KNOWN_FALSE : KNOWN_NOT;
        }
        for (unsigned i = 0; i < READY_ITEMS; i++)
                proven += ready->checks[i].verdict == READY_OK;
        words_append(words, size, "%u of %u checks are ok, the others don't apply", proven, READY_ITEMS);
        return KNOWN_TRUE;
}
