#include "base/program.h"

#include "base/macros.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char path[] = "/tmp/test-program.XXXXXX";

static void write_file(const void *data, size_t size) {
        AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, data, size), (ssize_t)size);
}

static int needs_of(const char *name, ProgramNeeds *needs) {
        Error error = {0};
        int r = program_needs(name, needs, &error);
        assert_true(r == 0 || error_text(&error)[0]);
        return r;
}

static void a_script_names_its_interpreter(void **state) {
        static const char text[] = "#! /usr/bin/env python3 -u\nprint(1)\n";
        ProgramNeeds needs;
        (void)state;
        write_file(text, sizeof text - 1);
        assert_int_equal(needs_of(path, &needs), 0);
        assert_int_equal(needs.kind, PROGRAM_SCRIPT);
        assert_string_equal(needs.interpreter, "/usr/bin/env");
        assert_string_equal(needs.argument, "python3");
}

static void a_program_names_its_loader(void **state) {
        ProgramNeeds needs;
        struct stat st;
        (void)state;
        assert_int_equal(needs_of("/proc/self/exe", &needs), 0);
        assert_int_equal(needs.kind, PROGRAM_DYNAMIC);
        assert_int_equal(stat(needs.interpreter, &st), 0);
        assert_false(needs.audited);
}

static void data_is_no_program(void **state) {
        ProgramNeeds needs;
        (void)state;
        write_file("no program", 10);
        assert_int_equal(needs_of(path, &needs), 0);
        assert_int_equal(needs.kind, PROGRAM_OTHER);
        write_file("", 0);
        assert_int_equal(needs_of(path, &needs), 0);
        assert_int_equal(needs_of("/nonexistent/program", &needs), -ENOENT);
}

/* Every cut of a real program is either understood or refused, never followed out of the file. */
static void what_is_cut_off_is_refused(void **state) {
        char head[4096];
        ProgramNeeds needs;
        (void)state;
        AUTO_CLOSE int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        assert_int_equal(read(fd, head, sizeof head), (ssize_t)sizeof head);
        for (size_t size = 4; size < 700; size += 7) {
                write_file(head, size);
                int r = needs_of(path, &needs);
                assert_true(r == 0 || r == -EBADMSG);
        }
        write_file(head, sizeof(Elf64_Ehdr) + 10);
        assert_int_equal(needs_of(path, &needs), -EBADMSG);
}

static int make(void **state) {
        (void)state;
        int fd = mkstemp(path);
        return fd < 0 ? -1 : close(fd);
}

static int clean(void **state) {
        (void)state;
        return unlink(path);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_script_names_its_interpreter),
                cmocka_unit_test(a_program_names_its_loader),
                cmocka_unit_test(data_is_no_program),
                cmocka_unit_test(what_is_cut_off_is_refused),
        };
        return cmocka_run_group_tests(tests, make, clean);
}
