#include "base/histogram.h"

#include <string.h>

#define EXACT 256    /* values below it have a slot each */
#define EXACT_BITS 8 /* log2 of it */
#define PER_DOUBLING 128
#define PER_DOUBLING_BITS 7

void histogram_reset(Histogram *histogram) {
        memset(histogram, 0, sizeof *histogram);
}

static unsigned slot_of(int64_t value) {
        if (value < EXACT)
                return (unsigned)value;
        unsigned top = 63u - (unsigned)__builtin_clzll((unsigned long long)value);
        unsigned shift = top - PER_DOUBLING_BITS;
        unsigned within = (unsigned)(value >> shift) - PER_DOUBLING;
        return EXACT + (top - EXACT_BITS) * PER_DOUBLING + within;
}

static int64_t lowest_of(unsigned slot) {
        if (slot < EXACT)
                return slot;
        unsigned doubling = (slot - EXACT) / PER_DOUBLING, within = (slot - EXACT) % PER_DOUBLING;
        return (int64_t)(PER_DOUBLING + within) << (doubling + EXACT_BITS - PER_DOUBLING_BITS);
}

void histogram_add(Histogram *histogram, int64_t value) {
        if (value < 0)
                value = 0;
        if (value > HISTOGRAM_VALUE_MAX)
                value = HISTOGRAM_VALUE_MAX;
        histogram->slots[slot_of(value)]++;
        histogram->total++;
}

int64_t histogram_quantile(const Histogram *histogram, int64_t ppm) {
        if (histogram->total == 0)
                return -1;
        /* split, so that no count can overflow the product: rank = ceil(total * ppm / 1000000) */
        int64_t million = 1000000;
        int64_t rank = histogram->total / million * ppm + (histogram->total % million * ppm + million - 1) / million;
        if (rank < 1)
                rank = 1;
        int64_t seen = 0;
        for (unsigned slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
                seen += histogram->slots[slot];
                if (seen >= rank)
                        return lowest_of(slot);
        }
        return HISTOGRAM_VALUE_MAX;
}
