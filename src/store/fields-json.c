#include "store/fields-json.h"

#include <errno.h>

int fields_to_json(json_t *object, const Field *fields, const void *from) {
        for (const Field *field = fields; field->name; field++) {
                json_t *value = NULL;
                if (field_is_text(field)) {
                        const char *text = field_get_text(field, from);
                        if (text[0] == '\0')
                                continue;
                        value = json_string(text);
                        if (!value) /* not UTF-8, as a message of somebody else's program may be: better bent than lost */
                                value = json_string("(text that is not UTF-8)");
                } else {
                        int64_t number = field_get_number(field, from);
                        if (number == 0)
                                continue;
                        value = json_integer(number);
                }
                if (json_object_set_new(object, field->name, value) < 0)
                        return -ENOMEM;
        }
        return 0;
}

int fields_to_json_array(json_t *object, const char *name, const Field *fields, const void *from, size_t size,
                         unsigned count) {
        json_t *array = json_array();
        int r = json_object_set_new(object, name, array);
        for (unsigned i = 0; r == 0 && i < count; i++) {
                json_t *entry = json_object();
                r = json_array_append_new(array, entry);
                if (r == 0)
                        r = fields_to_json(entry, fields, (const char *)from + i * size);
        }
        return r;
}

int fields_from_json(const json_t *object, const Field *fields, void *to, Error *error) {
        if (!json_is_object(object))
                return error_set(error, -EBADMSG, "not a JSON object");
        for (const Field *field = fields; field->name; field++) {
                const json_t *value = json_object_get(object, field->name);
                if (!value)
                        continue;
                int r = field_is_text(field)
                                ? (json_is_string(value) ? field_set_text(field, to, json_string_value(value))
                                                         : -EBADMSG)
                        : json_is_integer(value) ? field_set_number(field, to, json_integer_value(value))
                                                 : -EBADMSG;
                if (r < 0)
                        return error_set(error, r, "member '%s' holds what this program doesn't know", field->name);
        }
        return 0;
}

int fields_from_json_array(const json_t *object, const char *name, const Field *fields, void *to, size_t size,
                           unsigned max, unsigned *ret_count, Error *error) {
        const json_t *array = json_object_get(object, name);
        if (json_array_size(array) > max)
                return error_set(error, -EBADMSG, "too many entries in '%s'", name);
        for (size_t i = 0; i < json_array_size(array); i++) {
                int r = fields_from_json(json_array_get(array, i), fields, (char *)to + i * size, error);
                if (r < 0)
                        return r;
        }
        if (ret_count)
                *ret_count = (unsigned)json_array_size(array);
        return 0;
}
