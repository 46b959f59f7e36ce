#include "core/version.h"

#include "core/types.h"

#include <stddef.h>
#include <string.h>

/* Not <ctype.h>: what a digit is must not depend on the locale. */
static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool is_word(char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.';
}

static const char *skip_digits(const char *text) {
        while (is_digit(*text))
                text++;
        return text;
}

static const char *skip_v(const char *version) {
        return *version == 'v' ? version + 1 : version;
}

/* Behind "MAJOR.MINOR.PATCH", or NULL. */
static const char *skip_numbers(const char *text) {
        for (int i = 0; i < 3; i++) {
                if (i > 0 && *text++ != '.')
                        return NULL;
                const char *end = skip_digits(text);
                if (end == text)
                        return NULL;
                text = end;
        }
        return text;
}

bool version_valid(const char *version) {
        if (!version || strnlen(version, VERSION_MAX) >= VERSION_MAX)
                return false;
        const char *rest = skip_numbers(skip_v(version));
        if (!rest)
                return false;
        if (*rest == '\0')
                return true;
        if (*rest++ != '-' || *rest == '\0')
                return false;
        while (is_word(*rest))
                rest++;
        return *rest == '\0';
}

/* Numbers of any length: without leading zeros, the longer is the larger. Moves both behind their number. */
static int compare_number(const char **a, const char **b) {
        const char *end_a = skip_digits(*a), *end_b = skip_digits(*b);
        const char *start_a = *a, *start_b = *b;
        *a = end_a;
        *b = end_b;
        while (start_a + 1 < end_a && *start_a == '0')
                start_a++;
        while (start_b + 1 < end_b && *start_b == '0')
                start_b++;
        ptrdiff_t length_a = end_a - start_a, length_b = end_b - start_b;
        if (length_a != length_b)
                return length_a < length_b ? -1 : 1;
        return memcmp(start_a, start_b, (size_t)length_a);
}

static bool numeric(const char *text, size_t length) {
        for (size_t i = 0; i < length; i++)
                if (!is_digit(text[i]))
                        return false;
        return length > 0;
}

/* One dot-separated identifier: numbers by value and below words, words byte by byte. */
static int compare_identifier(const char *a, size_t length_a, const char *b, size_t length_b) {
        bool number_a = numeric(a, length_a), number_b = numeric(b, length_b);
        if (number_a && number_b)
                return compare_number(&a, &b);
        if (number_a != number_b)
                return number_a ? -1 : 1;
        int order = memcmp(a, b, length_a < length_b ? length_a : length_b);
        if (order != 0 || length_a == length_b)
                return order;
        return length_a < length_b ? -1 : 1;
}

/* Semantic versioning 2.0, section 11.4. */
static int compare_prerelease(const char *a, const char *b) {
        while (*a && *b) {
                size_t length_a = strcspn(a, "."), length_b = strcspn(b, ".");
                int order = compare_identifier(a, length_a, b, length_b);
                if (order != 0)
                        return order;
                a += length_a;
                b += length_b;
                if (*a == '.' && *b == '.') {
                        a++;
                        b++;
                }
        }
        return (*a != '\0') - (*b != '\0'); /* more identifiers are higher */
}

int version_compare(const char *a, const char *b) {
        a = skip_v(a);
        b = skip_v(b);
        for (int i = 0; i < 3; i++) {
                int order = compare_number(&a, &b);
                if (order != 0)
                        return order;
                a += *a == '.';
                b += *b == '.';
        }
        if (*a == '\0' || *b == '\0') /* a pre-release is lower than its release */
                return (*a == '\0') - (*b == '\0');
        return compare_prerelease(a + 1, b + 1);
}

int64_t version_part(const char *version, unsigned index) {
        if (!version_valid(version) || index > 2)
                return -1;
        const char *text = skip_v(version);
        for (; index > 0; index--)
                text = skip_digits(text) + 1;
        int64_t value = 0;
        for (; is_digit(*text); text++)
                if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *text - '0', &value))
                        return -1;
        return value;
}
