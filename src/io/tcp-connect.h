/* Whether somebody accepts a TCP connection: made and closed again, nothing is sent. */
#pragma once

#include "io/op.h"

/* `endpoint`: "10.0.0.1:9000" or "[::1]:9000", numeric. OP_DONE: OpResult.number is how long it took in microseconds; OP_FAILED names
 * the address. */
int tcp_connect_begin(sd_event *event, const char *endpoint, int64_t budget_us, OpCallback callback, void *userdata,
                      Op **ret_op, Error *error);
