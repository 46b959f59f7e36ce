#include "base/program.h"

#include "base/macros.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h> /* ElfW */
#include <string.h>
#include <unistd.h>

#define HEADERS_MAX 128
#define TAGS_MAX 1024
#define NATIVE_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)
#define NATIVE_DATA (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB)

static int damaged(const char *path, const char *what, Error *error) {
        return error_set(error, -EBADMSG, "%s is damaged: its %s", path, what);
}

static bool read_all(int fd, void *buffer, size_t size, off_t offset) {
        return pread(fd, buffer, size, offset) == (ssize_t)size;
}

/* "#!/usr/bin/env python3\n" */
static void read_script(const char *head, ProgramNeeds *needs) {
        needs->kind = PROGRAM_SCRIPT;
        const char *at = head + 2 + strspn(head + 2, " \t");
        size_t length = strcspn(at, " \t\r\n");
        snprintf(needs->interpreter, sizeof needs->interpreter, "%.*s", (int)length, at);
        at += length;
        at += strspn(at, " \t");
        snprintf(needs->argument, sizeof needs->argument, "%.*s", (int)strcspn(at, " \t\r\n"), at);
}

static int read_interpreter(int fd, const char *path, const ElfW(Phdr) * header, ProgramNeeds *needs, Error *error) {
        if (header->p_filesz < 2 || header->p_filesz > sizeof needs->interpreter)
                return damaged(path, "loader's name is too long", error);
        if (!read_all(fd, needs->interpreter, header->p_filesz, (off_t)header->p_offset) ||
            needs->interpreter[header->p_filesz - 1] != '\0')
                return damaged(path, "loader's name is cut off", error);
        needs->kind = PROGRAM_DYNAMIC;
        return 0;
}

static void read_tags(int fd, const ElfW(Phdr) * header, ProgramNeeds *needs) {
        ElfW(Dyn) tag;
        for (size_t i = 0; i < TAGS_MAX && (i + 1) * sizeof tag <= header->p_filesz; i++) {
                if (!read_all(fd, &tag, sizeof tag, (off_t)(header->p_offset + i * sizeof tag)) || tag.d_tag == DT_NULL)
                        return;
                needs->audited |= tag.d_tag == DT_AUDIT || tag.d_tag == DT_DEPAUDIT;
        }
}

static int read_elf(int fd, const char *path, ProgramNeeds *needs, Error *error) {
        ElfW(Ehdr) elf;
        ElfW(Phdr) header;
        if (!read_all(fd, &elf, sizeof elf, 0))
                return damaged(path, "header is cut off", error);
        if (elf.e_ident[EI_CLASS] != NATIVE_CLASS || elf.e_ident[EI_DATA] != NATIVE_DATA)
                return 0; /* for another machine: what can't run is told by who starts it */
        if (elf.e_type != ET_EXEC && elf.e_type != ET_DYN)
                return 0;
        if (elf.e_phentsize != sizeof header || elf.e_phnum > HEADERS_MAX)
                return damaged(path, "program headers can't be right", error);
        needs->kind = PROGRAM_STATIC;
        for (unsigned i = 0; i < elf.e_phnum; i++) {
                if (!read_all(fd, &header, sizeof header, (off_t)(elf.e_phoff + i * sizeof header)))
                        return damaged(path, "program headers are cut off", error);
                int r = header.p_type == PT_INTERP ? read_interpreter(fd, path, &header, needs, error) : 0;
                if (r < 0)
                        return r;
                if (header.p_type == PT_DYNAMIC)
                        read_tags(fd, &header, needs);
        }
        return 0;
}

int program_needs(const char *path, ProgramNeeds *ret_needs, Error *error) {
        char head[512] = "";
        *ret_needs = (ProgramNeeds){0};
        AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        ssize_t size = fd < 0 ? -1 : pread(fd, head, sizeof head - 1, 0);
        if (size < 0)
                return error_set(error, -errno, "can't read %s: %s", path, strerror(errno));
        if (size > 2 && memcmp(head, "#!", 2) == 0) {
                read_script(head, ret_needs);
                return 0;
        }
        return size >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0 ? read_elf(fd, path, ret_needs, error) : 0;
}
