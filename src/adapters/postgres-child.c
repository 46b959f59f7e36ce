#include "adapters/postgres-child.h"

#include "base/users.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>

#define LINE_LIMIT ((size_t)1024 * 1024) /* of one line of its output */
#define READ_SIZE 8192
#define ARGUMENTS_MAX 32
#define NO_GROUP "65534" /* the kernel's overflow group: owns nothing */

struct PgChild {
        Process *process;
        sd_event_source *source;
        int pipe;
        char *buffer;
        size_t used, capacity;
        void (*line)(void *userdata, const char *line);
        PgChildEnded ended;
        void *userdata;
};

PgChild *pg_child_free(PgChild *child) {
        if (!child)
                return NULL;
        child->process = process_free(child->process);
        child->source = sd_event_source_disable_unref(child->source);
        if (child->pipe >= 0)
                close(child->pipe);
        free(child->buffer);
        free(child);
        return NULL;
}

/* ---- its lines ---- */

static void tell_lines(PgChild *child) {
        char *start = child->buffer, *end;
        while ((end = memchr(start, '\n', child->used - (size_t)(start - child->buffer)))) {
                *end = '\0';
                child->line(child->userdata, start);
                start = end + 1;
        }
        child->used -= (size_t)(start - child->buffer);
        memmove(child->buffer, start, child->used);
        if (child->used >= LINE_LIMIT)
                child->used = 0; /* nothing of ours is that long */
}

static bool make_room(PgChild *child) {
        if (child->capacity - child->used >= READ_SIZE)
                return true;
        size_t capacity = child->capacity * 2 + READ_SIZE;
        char *larger = realloc(child->buffer, capacity);
        if (!larger)
                return false;
        child->buffer = larger;
        child->capacity = capacity;
        return true;
}

static void read_lines(PgChild *child, unsigned rounds) {
        while (rounds-- > 0 && child->source && make_room(child)) {
                ssize_t n = read(child->pipe, child->buffer + child->used, READ_SIZE);
                if (n > 0) {
                        child->used += (size_t)n;
                        tell_lines(child);
                        continue;
                }
                if (n == 0 || (errno != EAGAIN && errno != EINTR))
                        child->source = sd_event_source_disable_unref(child->source);
                return;
        }
}

static int on_readable(UNUSED sd_event_source *source, UNUSED int fd, UNUSED uint32_t events, void *userdata) {
        read_lines(userdata, 16);
        return 0;
}

static void on_exit_known(void *userdata, Process *process, const ProcessExit *exit) {
        PgChild *child = userdata;
        read_lines(child, 4096); /* what is still in the pipe */
        child->ended(child->userdata, exit, process_output(process));
}

static int open_pipe(PgChild *child, sd_event *event, int *ret_end) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        child->pipe = ends[0];
        *ret_end = ends[1];
        if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        return sd_event_add_io(event, &child->source, ends[0], EPOLLIN, on_readable, child);
}

/* ---- whom it asks, and as whom ---- */

typedef struct Surroundings {
        char program[512], reuid[32];
        char host[512], port[32], user[128], database[128], passfile[512], name[128];
        const char *argv[ARGUMENTS_MAX + 16], *env[16];
} Surroundings;

static int drop_root(const Postgres *postgres, Surroundings *around, unsigned *used, Error *error) {
        uid_t uid = 0;
        const char *name = settings_string(postgres->settings, "run_as");
        if (geteuid() != 0)
                return 0;
        int r = users_find(name, &uid, error);
        if (r < 0)
                return r;
        if (r == 0 || uid == 0)
                return error_set(error, -EINVAL,
                                 "psql and pg_dump are not run as root: data.postgres.run_as names the user of this "
                                 "machine, and %s",
                                 r == 0 ? "there is none of that name" : "that is root");
        snprintf(around->reuid, sizeof around->reuid, "--reuid=%u", uid);
        const char *const words[] = {
                "setpriv", around->reuid, "--regid=" NO_GROUP, "--clear-groups", "--no-new-privs", "--pdeathsig",
                "KILL",    "--"};
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                around->argv[(*used)++] = words[i];
        return 0;
}

static int build_command(const Postgres *postgres, const PgChildSpec *spec, Surroundings *around, Error *error) {
        unsigned used = 0;
        int r = drop_root(postgres, around, &used, error);
        if (r < 0)
                return r;
        snprintf(around->program, sizeof around->program, "%s/%s", settings_string(postgres->settings, "programs"),
                 spec->program);
        around->argv[used++] = around->program;
        for (unsigned i = 0; spec->arguments[i] && i < ARGUMENTS_MAX; i++)
                around->argv[used++] = spec->arguments[i];
        return 0;
}

/* In the environment, not as arguments: there a name with '=' in it would be taken for more than a name. */
static void build_environment(const Postgres *postgres, const PgChildSpec *spec, Surroundings *around) {
        const PgServer *server = &postgres->server;
        unsigned used = 0;
        snprintf(around->host, sizeof around->host, "PGHOST=%s", server->host);
        snprintf(around->port, sizeof around->port, "PGPORT=%" PRId64, server->port);
        snprintf(around->user, sizeof around->user, "PGUSER=%s", server->user);
        snprintf(around->database, sizeof around->database, "PGDATABASE=%s",
                 spec->database ? spec->database : server->database);
        snprintf(around->name, sizeof around->name, "PGAPPNAME=%s", spec->name);
        const char *const ours[] = {around->host,
                                    around->port,
                                    around->user,
                                    around->database,
                                    around->name,
                                    "PGCLIENTENCODING=UTF8",
                                    "PGCONNECT_TIMEOUT=10",
                                    "PGGSSENCMODE=disable",
                                    "PGOPTIONS=-c client_connection_check_interval=500ms",
                                    "LC_ALL=C.UTF-8",
                                    "PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
        for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
                around->env[used++] = ours[i];
        if (server->password_file && server->password_file[0]) {
                snprintf(around->passfile, sizeof around->passfile, "PGPASSFILE=%s", server->password_file);
                around->env[used++] = around->passfile;
        }
}

int pg_child_start(const Postgres *postgres, const PgChildSpec *spec, PgChild **ret_child, Error *error) {
        AUTO_FREE Surroundings *around = calloc(1, sizeof *around);
        PgChild *child = calloc(1, sizeof *child);
        if (!around || !child) {
                free(child);
                return error_set(error, -ENOMEM, "cannot run %s: out of memory", spec->program);
        }
        *child = (PgChild){.pipe = -1, .line = spec->line, .ended = spec->ended, .userdata = spec->userdata};
        AUTO_CLOSE int end = -1;
        int r = build_command(postgres, spec, around, error);
        build_environment(postgres, spec, around);
        if (r == 0 && spec->output_fd == 0) {
                r = open_pipe(child, postgres->context.event, &end);
                if (r < 0)
                        error_set(error, r, "cannot run %s: %s", spec->program, strerror(-r));
        }
        if (r >= 0) {
                const ProcessSpec process = {.argv = around->argv,
                                             .env = around->env,
                                             .only_env = true,
                                             .directory = "/",
                                             .output_fd = -1,
                                             .input_fd = spec->input_fd,
                                             .data_fd = spec->output_fd ? spec->output_fd : end};
                r = process_start(postgres->context.event, &process, on_exit_known, child, &child->process, error);
        }
        if (r < 0) {
                pg_child_free(child);
                return r;
        }
        *ret_child = child;
        return 0;
}

/* ---- what it says when it fails ---- */

static const char *find_error(const char *said, size_t *ret_length) {
        static const char *const marks[] = {"ERROR:", "FATAL:", "PANIC:", "error:", "cannot "};
        for (const char *line = said; *line; line += strcspn(line, "\n"), line += *line == '\n') {
                *ret_length = strcspn(line, "\n");
                for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
                        if (memmem(line, *ret_length, marks[i], strlen(marks[i])))
                                return line;
        }
        *ret_length = strcspn(said, "\n");
        return said;
}

char *pg_child_error(const char *said, char *text, size_t size, unsigned *ret_line) {
        static const char place[] = "psql:<stdin>:";
        size_t length = 0;
        const char *line = find_error(said, &length);
        *ret_line = 0;
        if (length > sizeof place && memcmp(line, place, sizeof place - 1) == 0) {
                char *end = NULL;
                *ret_line = (unsigned)strtoul(line + sizeof place - 1, &end, 10);
                if (*end == ':' && end < line + length) {
                        end += 1 + (end[1] == ' ');
                        length -= (size_t)(end - line);
                        line = end;
                }
        }
        snprintf(text, size, "%.*s", (int)length, line);
        return text;
}
