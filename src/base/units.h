/* Quantities as people write them in the configuration ("1.0%", "100ms", "120s") and read them in reports. All arithmetic is on
 * whole numbers, so that what is compared is exactly what was written. Parse errors (-EINVAL, -ERANGE) say what is wrong and
 * what is allowed. Format functions return `buffer`, so that they can be arguments of printf; 32 bytes are always enough. */
#pragma once

#include "base/error.h"

#include <stdint.h>

#define UNITS_TEXT_MAX 32

/* "1.0%" -> 10000 parts per million. At most four decimals, 0 to 100 %. */
int units_parse_ratio(const char *text, int64_t *ret_ppm, Error *error);

/* "100ms" "120s" "2m" "24h" "7d" "500us" "1.5s" -> microseconds. Only 0 may stand without a unit. */
int units_parse_duration(const char *text, int64_t *ret_us, Error *error);

/* A whole number, 0 or more: "100". */
int units_parse_count(const char *text, int64_t *ret_count, Error *error);

/* "850us" "250.4ms" "45ms" "10s" "12.3s" "2m5s" "1h30m" "3d4h" "0s"; the sign is kept. */
char *units_format_duration(int64_t us, char *buffer, size_t size);

/* The share numerator/denominator, two decimals, rounded half up: "5.02%"; "n/a" when the denominator is not positive. */
char *units_format_percent(int64_t numerator, int64_t denominator, char *buffer, size_t size);

/* Parts per million as units_parse_ratio() reads it, at least one decimal: 10000 -> "1.0%", 2500 -> "0.25%". */
char *units_format_ratio(int64_t ppm, char *buffer, size_t size);

/* "512 B" "14.2 MiB" */
char *units_format_bytes(int64_t bytes, char *buffer, size_t size);
