/* Reading an HTTP answer: what of it the client's ledger needs. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Answer {
        int status;
        char version[64]; /* X-Version; "" when there is none */
        const char *body;
        size_t body_size;
        bool close; /* the connection ends after it */
} Answer;

/* 1: whole, 0: more must come (`ended`: no more will), -1: this is not HTTP. */
int answer_parse(const char *buffer, size_t size, bool ended, Answer *ret_answer);

/* The number in {"n":17}; 0 when there is none. */
int64_t answer_number(const Answer *answer);
