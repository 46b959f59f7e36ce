#include "core/words.h"

#include "core/types.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* value / 10^digits with the zeros at its end left out, but at least `least` decimals. */
static void decimal(int64_t value, unsigned digits, unsigned least, const char *unit, char buffer[WORDS_MAX]) {
        int64_t scale = 1;
        for (unsigned i = 0; i < digits; i++)
                scale *= 10;
        for (; digits > least && value % 10 == 0; digits--) {
                value /= 10;
                scale /= 10;
        }
        if (digits == 0)
                snprintf(buffer, WORDS_MAX, "%" PRId64 " %s", value, unit);
        else
                snprintf(buffer, WORDS_MAX, "%" PRId64 ".%0*" PRId64 " %s", value / scale, (int)digits, value % scale,
                         unit);
}

char *words_duration(int64_t us, char buffer[WORDS_MAX]) {
        if (us < 0)
                us = 0;
        if (us < USEC_PER_SEC)
                decimal(us, 3, 0, "ms", buffer);
        else
                decimal(us / USEC_PER_MSEC, 3, 0, "s", buffer);
        return buffer;
}

char *words_ratio(int64_t ppm, char buffer[WORDS_MAX]) {
        decimal(ppm < 0 ? 0 : ppm, 4, 1, "%", buffer);
        return buffer;
}

char *words_percent(int64_t ppm, unsigned decimals, char buffer[WORDS_MAX]) {
        int64_t step = 1;
        unsigned digits = decimals < 4 ? decimals : 4;
        for (unsigned i = digits; i < 4; i++)
                step *= 10;
        decimal(((ppm < 0 ? 0 : ppm) + step / 2) / step, digits, digits, "%", buffer);
        return buffer;
}

void words_append(char *text, size_t size, const char *format, ...) {
        size_t used = strnlen(text, size);
        if (used + 1 >= size)
                return;
        va_list args;
        va_start(args, format);
        int length = vsnprintf(text + used, size - used, format, args);
        va_end(args);
        if (length < 0 || (size_t)length < size - used)
                return;
        size_t end = size - 1; /* it was cut: not in the middle of a UTF-8 sequence */
        size_t start = end;
        while (start > used && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
                start--;
        if (start > used && ((unsigned char)text[start - 1] & 0xC0) == 0xC0)
                text[start - 1] = '\0';
}
