/* Which process listens on a TCP port, for a message: looked up in /proc, so not in a hurry. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

typedef struct PortHolder {
        pid_t pid; /* 0: it can't be told (another user's) */
        uid_t uid;
        char name[32];
} PortHolder;

/* 0, or -ENOENT: nobody that could be seen. */
int port_holder_find(int family, uint16_t port, PortHolder *ret_holder);
