#include "api/metrics-text.h"

#include "base/macros.h"

#include <stdbool.h>
#include <string.h>

#define NAME_MAX_LENGTH 200

typedef struct Family {
        char name[NAME_MAX_LENGTH];
        const char *suffix; /* of its samples */
        const char *type;   /* as the older format calls it; NULL: as it is */
} Family;

static bool begins(const char *line, const char *start) {
        return strncmp(line, start, strlen(start)) == 0;
}

/* "# TYPE name type" */
static Family read_family(const char *line) {
        Family family = {.suffix = ""};
        const char *name = line + strlen("# TYPE ");
        size_t length = strcspn(name, " \n");
        const char *type = name + length + (name[length] == ' ');
        snprintf(family.name, sizeof family.name, "%.*s", (int)length, name);
        if (begins(type, "counter"))
                family.suffix = "_total";
        else if (begins(type, "info")) {
                family.suffix = "_info";
                family.type = "gauge";
        } else if (begins(type, "unknown"))
                family.type = "untyped";
        return family;
}

static const char *line_end(const char *line) {
        const char *end = strchr(line, '\n');
        return end ? end + 1 : line + strlen(line);
}

/* The TYPE of the family that the comment at `line` ("# HELP name ...") is about: it may come after it. */
static Family family_at(const char *line) {
        const char *name = strchr(line + 2, ' ');
        size_t length = name ? strcspn(name + 1, " \n") : 0;
        for (const char *at = line; name && begins(at, "# "); at = line_end(at))
                if (begins(at, "# TYPE ") && strncmp(at + strlen("# TYPE "), name + 1, length + 1) == 0)
                        return read_family(at);
        return (Family){.suffix = ""};
}

static bool is_about(const char *line, const Family *family) {
        const char *name = line + strlen("# TYPE ");
        size_t length = strlen(family->name);
        return length > 0 && strncmp(name, family->name, length) == 0 && name[length] == ' ';
}

/* "# TYPE name ..." or "# HELP name ..." */
static void copy_comment(FILE *out, const char *line, const Family *family) {
        const char *name = line + strlen("# TYPE "), *rest = name + strcspn(name, " \n");
        fprintf(out, "%.*s%s", (int)(rest - line), line, family->suffix);
        if (begins(line, "# TYPE ") && family->type)
                fprintf(out, " %s\n", family->type);
        else
                fwrite(rest, 1, (size_t)(line_end(line) - rest), out);
}

char *metrics_text_plain(const char *openmetrics) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        if (!out)
                return NULL;
        Family family = {.suffix = ""};
        for (const char *line = openmetrics, *next; *line; line = next) {
                next = line_end(line);
                if (begins(line, "# EOF") || begins(line, "# UNIT "))
                        continue;
                bool comment = begins(line, "# TYPE ") || begins(line, "# HELP ");
                if (comment && !is_about(line, &family))
                        family = family_at(line);
                if (comment)
                        copy_comment(out, line, &family);
                else
                        fwrite(line, 1, (size_t)(next - line), out);
        }
        bool failed = ferror(out) != 0;
        if (fclose(out) != 0 || failed) {
                free(text);
                return NULL;
        }
        return text;
}
