/* Small things every room uses: cleanup attributes, array size, attributes for the compiler's eye. */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define UNUSED __attribute__((unused))
#define PRINTF_LIKE(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
#define CLEANUP(destructor) __attribute__((cleanup(destructor)))

/* Moves ownership out of a variable: the variable no longer owns what it held. */
#define TAKE_PTR(ptr)                                                                                                  \
        ({                                                                                                             \
                __typeof__(ptr) taken_ = (ptr);                                                                        \
                (ptr) = NULL;                                                                                          \
                taken_;                                                                                                \
        })
#define TAKE_FD(fd)                                                                                                    \
        ({                                                                                                             \
                int taken_ = (fd);                                                                                     \
                (fd) = -1;                                                                                             \
                taken_;                                                                                                \
        })

static inline void cleanup_free(void *ptr) {
        free(*(void **)ptr);
}
static inline void cleanup_close(int *fd) {
        if (*fd >= 0)
                close(*fd);
}
static inline void cleanup_fclose(FILE **file) {
        if (*file)
                fclose(*file);
}

#define AUTO_FREE CLEANUP(cleanup_free)
#define AUTO_CLOSE CLEANUP(cleanup_close)
#define AUTO_FCLOSE CLEANUP(cleanup_fclose)
