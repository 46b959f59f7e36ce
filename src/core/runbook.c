#include "core/runbook.h"

#include "core/words.h"

#include <string.h>

/* "{log}": how long the name is; 0: those braces are the line's own, as in JSON. */
static size_t name_length(const char *text) {
        size_t length = strspn(text + 1, "abcdefghijklmnopqrstuvwxyz_");
        return length > 0 && text[length + 1] == '}' ? length : 0;
}

static const char *value_of(const RunbookFacts *facts, const char *name, size_t length) {
        for (const RunbookValue *value = facts->values; value->name; value++)
                if (strlen(value->name) == length && strncmp(value->name, name, length) == 0)
                        return value->value && value->value[0] ? value->value : NULL;
        return NULL;
}

static void append_capitals(char *buffer, size_t size, const char *name, size_t length) {
        for (size_t i = 0; i < length; i++)
                words_append(buffer, size, "%c", name[i] == '_' ? '-' : name[i] - 'a' + 'A');
}

/* False: a value isn't known, and stands there in capitals. */
static bool expand(const RunbookFacts *facts, const char *text, char *buffer, size_t size) {
        bool whole = true;
        buffer[0] = '\0';
        while (text && *text) {
                size_t plain = strcspn(text, "{"), length;
                words_append(buffer, size, "%.*s", (int)plain, text);
                text += plain;
                if (*text == '\0')
                        break;
                length = name_length(text);
                const char *value = length > 0 ? value_of(facts, text + 1, length) : NULL;
                if (value)
                        words_append(buffer, size, "%s", value);
                else if (length > 0)
                        append_capitals(buffer, size, text + 1, length);
                else
                        words_append(buffer, size, "{");
                whole &= value || length == 0;
                text += length > 0 ? length + 2 : 1;
        }
        return whole;
}

static RunbookState state_of(const RunbookStep *step, const RunbookFacts *facts) {
        if (step->done == FACT_NONE)
                return RUNBOOK_YOURS;
        if (facts->absent[step->done])
                return RUNBOOK_NOT_APPLICABLE;
        switch (facts->known[step->done]) {
        case KNOWN_TRUE:
                return RUNBOOK_DONE;
        case KNOWN_FALSE:
                return RUNBOOK_OPEN;
        case KNOWN_NOT:
                break;
        }
        return RUNBOOK_UNKNOWN;
}

unsigned runbook_tick(const Runbook *runbook, const RunbookFacts *facts, RunbookTick ret_ticks[RUNBOOK_STEPS_MAX]) {
        unsigned count = 0;
        bool marked = facts->concerned == KNOWN_FALSE; /* nothing has to be done now */
        for (const RunbookStep *step = runbook->steps; step->title && count < RUNBOOK_STEPS_MAX; step++, count++) {
                RunbookTick *tick = &ret_ticks[count];
                tick->state = state_of(step, facts);
                bool open = tick->state == RUNBOOK_OPEN || tick->state == RUNBOOK_UNKNOWN;
                if (!marked && open && step->command) {
                        tick->state = RUNBOOK_NEXT;
                        marked = true;
                }
                if (!expand(facts, step->look, tick->look, sizeof tick->look))
                        tick->look[0] = '\0';
                (void)expand(facts, step->command, tick->command, sizeof tick->command);
                (void)expand(facts, step->how, tick->how, sizeof tick->how);
                (void)expand(facts, step->yours, tick->yours, sizeof tick->yours);
        }
        return count;
}

const char *runbook_state_name(RunbookState state) {
        static const char *const names[] = {
                [RUNBOOK_DONE] = "done",       [RUNBOOK_NEXT] = "next",   [RUNBOOK_OPEN] = "open",
                [RUNBOOK_UNKNOWN] = "unknown", [RUNBOOK_YOURS] = "yours", [RUNBOOK_NOT_APPLICABLE] = "not_applicable"};
        return names[state];
}

const Runbook *runbook_find(const char *key) {
        static const char prefix[] = "runbook-";
        if (strncmp(key, prefix, strlen(prefix)) == 0)
                key += strlen(prefix);
        for (const Runbook *runbook = runbooks; runbook->key; runbook++)
                if (strcmp(runbook->key, key) == 0)
                        return runbook;
        return NULL;
}
