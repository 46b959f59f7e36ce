#include "api/port-holder.h"

#include "base/macros.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define STATE_LISTEN 0x0A

/* A line of /proc/net/tcp: "  1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 12345 ..." */
static bool parse_line(const char *line, uint16_t port, uint64_t *ret_inode, uid_t *ret_uid) {
        unsigned found, state;
        return sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %u %*u %" SCNu64, &found,
                      &state, ret_uid, ret_inode) == 4 &&
               found == port && state == STATE_LISTEN;
}

static int find_inode(const char *table, uint16_t port, uint64_t *ret_inode, uid_t *ret_uid) {
        AUTO_FCLOSE FILE *file = fopen(table, "re");
        char line[512];
        while (file && fgets(line, sizeof line, file))
                if (parse_line(line, port, ret_inode, ret_uid))
                        return 0;
        return -ENOENT;
}

static bool has_socket(const char *pid, const char *wanted) {
        char path[64], target[64];
        snprintf(path, sizeof path, "/proc/%.16s/fd", pid);
        DIR *directory = opendir(path);
        bool found = false;
        for (struct dirent *entry; directory && !found && (entry = readdir(directory));) {
                ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
                target[length > 0 ? length : 0] = '\0';
                found = strcmp(target, wanted) == 0;
        }
        if (directory)
                closedir(directory);
        return found;
}

static void read_name(const char *pid, char *ret_name, size_t size) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%.16s/comm", pid);
        AUTO_FCLOSE FILE *file = fopen(path, "re");
        if (!file || !fgets(ret_name, (int)size, file))
                ret_name[0] = '\0';
        ret_name[strcspn(ret_name, "\n")] = '\0';
}

int port_holder_find(int family, uint16_t port, PortHolder *ret_holder) {
        PortHolder holder = {0};
        uint64_t inode;
        /* an IPv6 socket may have taken IPv4's port, too */
        if ((family == AF_INET6 || find_inode("/proc/net/tcp", port, &inode, &holder.uid) < 0) &&
            find_inode("/proc/net/tcp6", port, &inode, &holder.uid) < 0)
                return -ENOENT;
        char wanted[64];
        snprintf(wanted, sizeof wanted, "socket:[%" PRIu64 "]", inode);
        DIR *processes = opendir("/proc");
        for (struct dirent *entry; processes && holder.pid == 0 && (entry = readdir(processes));)
                if (isdigit((unsigned char)entry->d_name[0]) && has_socket(entry->d_name, wanted)) {
                        holder.pid = (pid_t)strtol(entry->d_name, NULL, 10);
                        read_name(entry->d_name, holder.name, sizeof holder.name);
                }
        if (processes)
                closedir(processes);
        *ret_holder = holder;
        return 0;
}
