/* What a person needs to know when something failed. The caller owns the Error; filling one never allocates, so it works
 * when memory is gone. Functions return 0 or a negative errno and fill `error` (may be NULL) at the edge where the failure is
 * known best: which file, which unit, which line, and what to do next. A function either fills an Error or logs, never both. */
#pragma once

#include "base/macros.h"

#define ERROR_MESSAGE_MAX 512

typedef struct Error {
        int code; /* 0: no error; else the negative errno that was returned */
        char message[ERROR_MESSAGE_MAX];
} Error;

/* Fills `error` when it isn't NULL; returns `code` (negative errno), so that `return error_set(...)` reads well. */
int error_set(Error *error, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " before the message that is there, keeping the code; returns the code. */
int error_prefix(Error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* The message, or strerror of the code when a function left it empty. Never NULL. */
const char *error_text(const Error *error);
