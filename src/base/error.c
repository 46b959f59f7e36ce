#include "base/error.h"

#include <stdarg.h>
#include <string.h>

int error_set(Error *error, int code, const char *format, ...) {
        if (!error)
                return code;
        /* formatted aside first: an argument may point into error->message itself */
        char text[ERROR_MESSAGE_MAX];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        error->code = code;
        memcpy(error->message, text, sizeof text);
        return code;
}

int error_prefix(Error *error, const char *format, ...) {
        if (!error)
                return 0;
        char text[ERROR_MESSAGE_MAX];
        va_list args;
        va_start(args, format);
        int used = vsnprintf(text, sizeof text, format, args);
        va_end(args);
        if (used >= 0 && (size_t)used < sizeof text)
                snprintf(text + used, sizeof text - (size_t)used, ": %s", error_text(error));
        memcpy(error->message, text, sizeof text);
        return error->code;
}

const char *error_text(const Error *error) {
        if (error->message[0] != '\0')
                return error->message;
        return error->code ? strerror(-error->code) : "no error";
}
