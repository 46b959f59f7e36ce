/* The log in systemd's journal, with its fields structured: journalctl NOVACRON_RUN=12. */
#pragma once

#include "base/log.h"

int log_sink_journald(LogSink **ret_sink, Error *error);
