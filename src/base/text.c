#include "base/text.h"

#include <string.h>

size_t utf8_length(const char *text, size_t left) {
        const unsigned char *bytes = (const unsigned char *)text;
        unsigned char lead = bytes[0];
        if (lead < 0x80)
                return 1;
        size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                        : (lead & 0xF0) == 0xE0        ? 3
                        : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                       : 0;
        if (length == 0 || length > left)
                return 0;
        unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        if (bytes[1] < low || bytes[1] > high)
                return 0;
        for (size_t i = 2; i < length; i++)
                if ((bytes[i] & 0xC0) != 0x80)
                        return 0;
        return length;
}

static bool is_control(const char *text) {
        unsigned char first = (unsigned char)text[0];
        return first < ' ' || first == 0x7F || (first == 0xC2 && (unsigned char)text[1] < 0xA0); /* C1, too */
}

bool text_to_line(const char *text, char *buffer, size_t size) {
        bool changed = false;
        size_t left = strlen(text), used = 0;
        while (left > 0) {
                size_t length = utf8_length(text, left);
                const char *kept = length == 0 ? "?" : is_control(text) ? " " : text;
                size_t count = kept == text ? length : 1, taken = length ? length : 1;
                if (used + count >= size)
                        break;
                memcpy(buffer + used, kept, count);
                changed = changed || kept != text;
                used += count;
                text += taken;
                left -= taken;
        }
        buffer[used] = '\0';
        return changed || left > 0;
}
