#include "cli/terminal.h"

#include "base/macros.h"

#include <langinfo.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

static const char *const tones[] = {
        [TONE_PLAIN] = "",         [TONE_GOOD] = "\033[32m", [TONE_BAD] = "\033[1;31m",
        [TONE_DOUBT] = "\033[33m", [TONE_FAINT] = "\033[2m", [TONE_STRONG] = "\033[1m",
};

void terminal_measure(Terminal *terminal) {
        struct winsize size = {0};
        bool known = terminal->live && ioctl(fileno(terminal->file), TIOCGWINSZ, &size) == 0;
        terminal->columns = known && size.ws_col >= 40 ? size.ws_col : 80;
        terminal->rows = known && size.ws_row > 0 ? size.ws_row : 24;
}

void terminal_init(Terminal *terminal, FILE *file) {
        const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
        *terminal = (Terminal){.file = file};
        terminal->live = isatty(fileno(file)) && term && strcmp(term, "dumb") != 0 && term[0] != '\0';
        terminal->colour = terminal->live && !(no_color && no_color[0] != '\0');
        terminal->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
        terminal_measure(terminal);
}

/* One character of `text`, and how many bytes it has; what could steer a terminal, or isn't UTF-8, is told as '?'. */
static size_t next_character(const char *text, bool utf8, char *ret_character) {
        unsigned char lead = (unsigned char)text[0];
        size_t length = lead < 0x80             ? 1
                        : (lead & 0xE0) == 0xC0 ? 2
                        : (lead & 0xF0) == 0xE0 ? 3
                        : (lead & 0xF8) == 0xF0 ? 4
                                                : 1;
        size_t found = 1;
        while (found < length && ((unsigned char)text[found] & 0xC0) == 0x80)
                found++;
        bool whole = found == length && (lead < 0x80 || length > 1);
        bool control = lead < ' ' || lead == 0x7F || (lead == 0xC2 && (unsigned char)text[1] < 0xA0);
        bool shown = whole && !control && (length == 1 || utf8);
        memcpy(ret_character, shown ? text : "?", shown ? length : 1);
        ret_character[shown ? length : 1] = '\0';
        return found;
}

void terminal_text(const Terminal *terminal, Tone tone, const char *text, int width, bool pad) {
        int column = 0;
        if (terminal->colour && tone != TONE_PLAIN)
                fputs(tones[tone], terminal->file);
        while (*text && (width == 0 || column < width)) {
                char character[8];
                text += next_character(text, terminal->utf8, character);
                bool cut = width > 0 && column == width - 1 && *text;
                fputs(cut ? (terminal->utf8 ? "…" : "~") : character, terminal->file);
                column++;
                if (cut)
                        break;
        }
        if (terminal->colour && tone != TONE_PLAIN)
                fputs("\033[0m", terminal->file);
        if (pad && column < width)
                fprintf(terminal->file, "%*s", width - column, "");
}

int terminal_wrap(const Terminal *terminal, Tone tone, const char *text, int column, int indent) {
        bool coloured = terminal->colour && tone != TONE_PLAIN, begun = false;
        fputs(coloured ? tones[tone] : "", terminal->file);
        while (*text) {
                size_t blanks = strspn(text, " "), bytes = strcspn(text + blanks, " ");
                int wanted = (int)blanks;
                char character[8];
                for (size_t at = blanks; at < blanks + bytes; wanted++)
                        at += next_character(text + at, terminal->utf8, character);
                if (begun && blanks > 0 && column + wanted > terminal->columns) {
                        fprintf(terminal->file, "\n%*s", indent, "");
                        column = indent;
                        text += blanks;
                        wanted -= (int)blanks;
                        blanks = 0;
                }
                for (size_t at = 0; at < blanks + bytes;) {
                        at += next_character(text + at, terminal->utf8, character);
                        fputs(character, terminal->file);
                }
                text += blanks + bytes;
                column += wanted;
                begun = true;
        }
        fputs(coloured ? "\033[0m" : "", terminal->file);
        return column;
}

/* Line breaks at the ends of `format` are ours; any other came with an argument. */
void terminal_say(const Terminal *terminal, Tone tone, const char *format, ...) {
        char text[2048], *start = text;
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        size_t before = strspn(format, "\n"), after = 0;
        for (size_t length = strlen(format); after + before < length && format[length - after - 1] == '\n';)
                after++;
        start += before;
        size_t length = strlen(start);
        start[length > after ? length - after : 0] = '\0';
        for (size_t i = 0; i < before; i++)
                fputc('\n', terminal->file);
        terminal_text(terminal, tone, start, 0, false);
        for (size_t i = 0; i < after; i++)
                fputc('\n', terminal->file);
}
