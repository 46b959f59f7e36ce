/* How the shared structs are laid out as named values. One table each, from which the journal makes its columns and the side file
 * its JSON, so that the two cannot disagree and a new member is one new row. */
#pragma once

#include "core/types.h"

#include <stddef.h>

typedef enum FieldType {
        FIELD_INT64,
        FIELD_NUMBER, /* unsigned int, or an enumeration that is kept as its number; at most `max` */
        FIELD_BOOL,
        FIELD_TEXT, /* char array */
        FIELD_WORD, /* an enumeration that is kept as a word */
} FieldType;

typedef struct Words {
        const char *(*name)(unsigned value);
        int (*parse)(const char *text, unsigned *ret_value);
} Words;

typedef struct Field {
        const char *name;
        FieldType type;
        size_t offset, size;
        const Words *words;
        unsigned max; /* FIELD_NUMBER: what indexes an array must not be taken on trust; 0: not bounded */
} Field;              /* tables end with a row whose name is NULL */

extern const Field run_fields[]; /* without id, plan.steps and the step records */
extern const Field plan_step_fields[];
extern const Field step_record_fields[];
extern const Field decision_fields[]; /* without id, samples and rules */
extern const Field sample_fields[];
extern const Field rules_fields[];
extern const Field deployment_fields[]; /* without id */
extern const Field release_fields[];    /* without present */
extern const Field incident_fields[];   /* without id */

extern const Words run_phase_words, release_state_words;

size_t field_count(const Field *fields);

/* One value as text or as number; which one its type says. Text that doesn't fit is cut. */
int64_t field_get_number(const Field *field, const void *object);
const char *field_get_text(const Field *field, const void *object);
int field_set_number(const Field *field, void *object, int64_t value);  /* -EBADMSG: out of range */
int field_set_text(const Field *field, void *object, const char *text); /* -EBADMSG: not a word of the enumeration */

static inline bool field_is_text(const Field *field) {
        return field->type == FIELD_TEXT || field->type == FIELD_WORD;
}
