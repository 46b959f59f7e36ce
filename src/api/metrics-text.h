/* Our metrics in the text format that came before OpenMetrics, for whoever doesn't ask for the newer one. */
#pragma once

/* Makes version 0.0.4 of an OpenMetrics text: there a counter's type and help go by the name of its samples ("..._total"), an
 * "info" is a gauge, an "unknown" is untyped, and there is no end mark. free() it; NULL when memory is gone. */
char *metrics_text_plain(const char *openmetrics);
