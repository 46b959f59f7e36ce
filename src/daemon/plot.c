#include "daemon/plot.h"

#include "base/macros.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WIDTH 760
#define LEFT 62
#define RIGHT 18
#define TOP 58 /* title, and two rows of marks */
#define HEIGHT 170
#define AXIS 24      /* the times below */
#define STRIP_GAP 26 /* the funnel from the run to its steps */
#define STRIP 24
#define STEP_LEAST 22 /* wide enough for its number */
#define TICKS 5
#define SECOND INT64_C(1000000)

/* Both schemes in one file, as an image in a page follows the page's; green and red are never told apart by colour alone. */
static const char style[] =
        "<style>"
        ".page{fill:#fff}.ink{fill:#1f2328}.faint{fill:#59636e}.grid{stroke:#d8dee4}.axis{stroke:#8b949e}"
        ".line{stroke:#0969da;fill:none}.dot{fill:#0969da;stroke:#fff}.bad{fill:#cf222e;stroke:#fff}"
        ".unknown{fill:none;stroke:#8b949e}.limit{stroke:#cf222e}.limit-ink{fill:#cf222e}.mark{stroke:#8250df}"
        ".mark-ink{fill:#8250df;stroke:#fff;stroke-width:4px;paint-order:stroke}.run{fill:#bf8700;fill-opacity:.16}.edge{stroke:#bf8700;fill:none}"
        ".step{fill:#bf8700;fill-opacity:.22;stroke:#9a6700}.failed{fill:#cf222e;fill-opacity:.3;stroke:#cf222e}"
        "@media(prefers-color-scheme:dark){.page{fill:#0d1117}.ink{fill:#e6edf3}.faint{fill:#9198a1}"
        ".grid{stroke:#2d333b}.axis{stroke:#6e7681}.line{stroke:#58a6ff}.dot{fill:#58a6ff;stroke:#0d1117}"
        ".bad{fill:#ff7b72;stroke:#0d1117}.limit{stroke:#ff7b72}.limit-ink{fill:#ff7b72}.mark{stroke:#bc8cff}"
        ".mark-ink{fill:#bc8cff;stroke:#0d1117}.run{fill:#d29922}.edge{stroke:#d29922}.step{fill:#d29922;stroke:#d29922}"
        ".failed{fill:#ff7b72;stroke:#ff7b72}}"
        "</style>";

typedef struct Frame {
        const Plot *plot;
        FILE *file;
        int64_t from, to; /* wall */
        double low, high;
        double tick; /* between two values on the axis */
} Frame;

static void print_text(FILE *file, const char *text) {
        char line[512];
        (void)text_to_line(text, line, sizeof line);
        for (const char *at = line; *at; at++)
                switch (*at) {
                case '&':
                        fputs("&amp;", file);
                        break;
                case '<':
                        fputs("&lt;", file);
                        break;
                case '>':
                        fputs("&gt;", file);
                        break;
                case '"':
                        fputs("&quot;", file);
                        break;
                default:
                        fputc(*at, file);
                }
}

static double x_of(const Frame *frame, int64_t wall) {
        double span = (double)(frame->to - frame->from);
        return LEFT + (WIDTH - LEFT - RIGHT) * (double)(wall - frame->from) / (span > 0 ? span : 1);
}

static double y_of(const Frame *frame, double value) {
        return TOP + HEIGHT - HEIGHT * (value - frame->low) / (frame->high - frame->low);
}

/* ---- scales ---- */

/* 1, 2 or 5 times a power of ten, so that about TICKS fit. */
static double nice_tick(double span) {
        double rough = span / TICKS, power = 1;
        while (power * 10 <= rough)
                power *= 10;
        while (power > rough && power > 1e-6)
                power /= 10;
        double factor = rough / power;
        return power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 5 ? 5 : 10);
}

/* The next multiple of `tick` that isn't above, or (`up`) below; of values that aren't negative. */
static double to_tick(double value, double tick, bool up) {
        double count = (double)(int64_t)(value / tick);
        return (up && count * tick < value ? count + 1 : count) * tick;
}

static void scale_values(Frame *frame) {
        const Plot *plot = frame->plot;
        double low = plot->threshold, high = plot->threshold;
        for (size_t i = 0; i < plot->point_count; i++)
                if (plot->points[i].known) {
                        low = plot->points[i].value < low ? plot->points[i].value : low;
                        high = plot->points[i].value > high ? plot->points[i].value : high;
                }
        if (plot->below_is_bad)
                high = 100;
        else
                low = 0;
        double span = high - low > 0 ? high - low : 1;
        frame->tick = nice_tick(span * 1.1);
        double least = low - span * 0.05;
        frame->low = plot->below_is_bad && least > 0 ? to_tick(least, frame->tick, false) : 0;
        frame->high = plot->below_is_bad ? 100 : to_tick(high * 1.05, frame->tick, true);
        if (frame->high <= frame->low)
                frame->high = frame->low + frame->tick;
}

static void widen(Frame *frame, int64_t wall) {
        frame->from = frame->from == 0 || wall < frame->from ? wall : frame->from;
        frame->to = wall > frame->to ? wall : frame->to;
}

static void scale_times(Frame *frame) {
        const Plot *plot = frame->plot;
        for (size_t i = 0; i < plot->point_count; i++)
                widen(frame, plot->points[i].at_wall);
        for (size_t i = 0; i < plot->step_count; i++) {
                widen(frame, plot->steps[i].from_wall);
                widen(frame, plot->steps[i].to_wall);
        }
        int64_t pad = (frame->to - frame->from) / 40 + SECOND;
        frame->from -= pad;
        frame->to += pad;
}

static int64_t time_tick(int64_t span) {
        static const int seconds[] = {1,   2,   5,    10,   15,   30,    60,    120,  300,
                                      600, 900, 1800, 3600, 7200, 14400, 43200, 86400};
        for (size_t i = 0; i < ARRAY_SIZE(seconds); i++)
                if (span / (seconds[i] * SECOND) <= 7)
                        return seconds[i] * SECOND;
        return span / 7;
}

/* ---- parts ---- */

static void draw_value_axis(const Frame *frame) {
        int decimals = frame->tick < 0.1 ? 2 : frame->tick < 1 ? 1 : 0;
        for (double value = frame->low; value <= frame->high + frame->tick / 2; value += frame->tick) {
                double y = y_of(frame, value);
                fprintf(frame->file, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT,
                        WIDTH - RIGHT, y, y);
                fprintf(frame->file, "<text class=\"faint\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.*f %s</text>\n",
                        LEFT - 8, y + 4, decimals, value, frame->plot->unit);
        }
}

static void draw_time_axis(const Frame *frame) {
        int64_t tick = time_tick(frame->to - frame->from);
        fprintf(frame->file, "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", LEFT, WIDTH - RIGHT,
                TOP + HEIGHT, TOP + HEIGHT);
        for (int64_t wall = (frame->from / tick + 1) * tick; wall < frame->to; wall += tick) {
                double x = x_of(frame, wall);
                time_t seconds = (time_t)(wall / SECOND);
                struct tm tm;
                char text[16] = "";
                if (gmtime_r(&seconds, &tm))
                        strftime(text, sizeof text, tick >= 60 * SECOND ? "%H:%M" : "%H:%M:%S", &tm);
                fprintf(frame->file, "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>", x, x,
                        TOP + HEIGHT, TOP + HEIGHT + 4);
                if (x > LEFT + 16 && x < WIDTH - RIGHT - 16)
                        fprintf(frame->file,
                                "<text class=\"faint\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x,
                                TOP + HEIGHT + 17, text);
        }
}

static void draw_threshold(const Frame *frame) {
        const Plot *plot = frame->plot;
        double y = y_of(frame, plot->threshold);
        bool room_above = y > TOP + 14;
        fprintf(frame->file,
                "<line class=\"limit\" stroke-dasharray=\"6 4\" stroke-width=\"1.4\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" "
                "y2=\"%.1f\"/>",
                LEFT, WIDTH - RIGHT, y, y);
        fprintf(frame->file, "<text class=\"limit-ink\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">limit %g %s</text>\n",
                WIDTH - RIGHT - 2, room_above ? y - 5 : y + 14, plot->threshold, plot->unit);
}

/* The right ends of the labels in each row: a label goes where it covers none, or is left out. The title stands in the last row. */
static void draw_marks(const Frame *frame, bool labels) {
        double ends[3] = {0, 0, LEFT + 130};
        for (size_t i = 0; i < frame->plot->mark_count; i++) {
                const PlotMark *mark = &frame->plot->marks[i];
                if (mark->at_wall < frame->from || mark->at_wall > frame->to)
                        continue;
                double x = x_of(frame, mark->at_wall), width = 6.3 * (double)strlen(mark->label) + 8;
                double left = x + width > WIDTH - RIGHT ? x - width : x;
                int row = left >= ends[0] ? 0 : left >= ends[1] ? 1 : left >= ends[2] ? 2 : -1;
                double y = TOP - 8 - 14 * (row < 0 ? 0 : row);
                if (row >= 0)
                        ends[row] = left + width;
                if (!labels)
                        fprintf(frame->file,
                                "<line class=\"mark\" stroke-dasharray=\"2 3\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
                                "y2=\"%d\"/>\n",
                                x, x, y - 9, TOP + HEIGHT);
                if (!labels || row < 0)
                        continue;
                fprintf(frame->file, "<text class=\"mark-ink\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">",
                        left < x ? x - 4 : x + 4, y, left < x ? "end" : "start");
                print_text(frame->file, mark->label);
                fputs("</text>\n", frame->file);
        }
}

static bool is_bad(const Plot *plot, double value) {
        return plot->below_is_bad ? value < plot->threshold : value > plot->threshold;
}

/* Between two samples with the run between them nothing was measured: no line is drawn there. */
static bool run_between(const Plot *plot, int64_t from, int64_t to) {
        return plot->step_count > 0 && plot->steps[0].from_wall >= from && plot->steps[0].from_wall < to;
}

static void draw_line(const Frame *frame) {
        const Plot *plot = frame->plot;
        bool drawing = false;
        fputs("<path class=\"line\" stroke-width=\"1.8\" stroke-linejoin=\"round\" d=\"", frame->file);
        for (size_t i = 0; i < plot->point_count; i++) {
                const PlotPoint *point = &plot->points[i];
                if (!point->known) {
                        drawing = false;
                        continue;
                }
                if (i > 0 && run_between(plot, plot->points[i - 1].at_wall, point->at_wall))
                        drawing = false;
                fprintf(frame->file, "%c%.1f %.1f", drawing ? 'L' : 'M', x_of(frame, point->at_wall),
                        y_of(frame, point->value));
                drawing = true;
        }
        fputs("\"/>\n", frame->file);
}

static void draw_points(const Frame *frame) {
        const Plot *plot = frame->plot;
        for (size_t i = 0; i < plot->point_count; i++) {
                const PlotPoint *point = &plot->points[i];
                double x = x_of(frame, point->at_wall);
                if (!point->known) {
                        fprintf(frame->file,
                                "<circle class=\"unknown\" stroke-dasharray=\"2 1.6\" cx=\"%.1f\" cy=\"%d\" r=\"3\"><title>not "
                                "known</title></circle>\n",
                                x, TOP + HEIGHT - 6);
                        continue;
                }
                double y = y_of(frame, point->value);
                if (is_bad(plot, point->value)) /* another shape, too */
                        fprintf(frame->file,
                                "<path class=\"bad\" d=\"M%.1f %.1fl4.6 4.6l-4.6 4.6l-4.6 -4.6z\"><title>%.4g "
                                "%s</title></path>\n",
                                x, y - 4.6, point->value, plot->unit);
                else
                        fprintf(frame->file,
                                "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\"><title>%.4g %s</title></circle>\n",
                                x, y, point->value, plot->unit);
        }
}

/* ---- the run ---- */

static void draw_run(const Frame *frame) {
        const Plot *plot = frame->plot;
        double from = x_of(frame, plot->steps[0].from_wall),
               to = x_of(frame, plot->steps[plot->step_count - 1].to_wall);
        fprintf(frame->file, "<rect class=\"run\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n", from, TOP,
                to - from > 2 ? to - from : 2, HEIGHT);
}

static void draw_step(const Frame *frame, const PlotStep *step, double x, double width, double y) {
        double took = (double)(step->to_wall - step->from_wall) / 1000;
        fprintf(frame->file, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"><title>",
                step->failed ? "failed" : "step", x, y, width, STRIP);
        print_text(frame->file, step->title);
        fprintf(frame->file, ": %.1f ms</title></rect>", took);
        fprintf(frame->file, "<text class=\"ink\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%u%s</text>\n",
                x + width / 2, y + 16, step->number, step->failed ? " \xc3\x97" : "");
}

/* Each as wide as it was long, but never too narrow for its number. */
static void draw_strip(const Frame *frame) {
        const Plot *plot = frame->plot;
        int64_t begin = plot->steps[0].from_wall, end = plot->steps[plot->step_count - 1].to_wall;
        double whole = WIDTH - LEFT - RIGHT, spare = whole - STEP_LEAST * (double)plot->step_count, sum = 0;
        double y = TOP + HEIGHT + AXIS + STRIP_GAP, x = LEFT;
        for (size_t i = 0; i < plot->step_count; i++)
                sum += (double)(plot->steps[i].to_wall - plot->steps[i].from_wall);
        fprintf(frame->file, "<path class=\"edge\" stroke-dasharray=\"2 3\" d=\"M%.1f %dL%d %.1fM%.1f %dL%d %.1f\"/>\n",
                x_of(frame, begin), TOP + HEIGHT + 20, LEFT, y, x_of(frame, end), TOP + HEIGHT + 20, WIDTH - RIGHT, y);
        fprintf(frame->file, "<text class=\"faint\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">steps</text>", LEFT - 8,
                y + 16);
        for (size_t i = 0; i < plot->step_count; i++) {
                const PlotStep *step = &plot->steps[i];
                double width = STEP_LEAST + (sum > 0 ? spare * (double)(step->to_wall - step->from_wall) / sum : 0);
                draw_step(frame, step, x, width, y);
                x += width;
        }
        fprintf(frame->file, "<text class=\"faint\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g s in all</text>\n",
                WIDTH - RIGHT, y + STRIP + 15, (double)(end - begin) / 1e6);
}

/* ---- the whole ---- */

static void draw_heading(const Frame *frame, int height) {
        fprintf(frame->file,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" "
                "font-family=\"system-ui,-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif\" font-size=\"11.5\">\n%s\n"
                "<title>",
                WIDTH, height, WIDTH, height, style);
        print_text(frame->file, frame->plot->title);
        fputs(" over the incident</title>\n", frame->file);
        fprintf(frame->file, "<rect class=\"page\" width=\"%d\" height=\"%d\" rx=\"6\"/>\n", WIDTH, height);
        fprintf(frame->file, "<text class=\"ink\" x=\"%d\" y=\"22\" font-size=\"14\" font-weight=\"600\">", LEFT);
        print_text(frame->file, frame->plot->title);
        fputs("</text>\n", frame->file);
        fprintf(frame->file, "<text class=\"faint\" x=\"%d\" y=\"22\" text-anchor=\"end\">UTC</text>\n", WIDTH - RIGHT);
}

static void draw(Frame *frame) {
        const Plot *plot = frame->plot;
        bool steps = plot->step_count > 0;
        int height = TOP + HEIGHT + AXIS + 6 + (steps ? STRIP_GAP + STRIP + 18 : 0);
        if (plot->point_count == 0) {
                draw_heading(frame, TOP + 40);
                fprintf(frame->file, "<text class=\"faint\" x=\"%d\" y=\"%d\">Nothing was measured.</text>\n", LEFT,
                        TOP + 10);
        } else {
                scale_values(frame);
                scale_times(frame);
                draw_heading(frame, height);
                draw_value_axis(frame);
                if (steps)
                        draw_run(frame);
                draw_time_axis(frame);
                draw_threshold(frame);
                draw_marks(frame, false);
                draw_marks(frame, true); /* over all lines: another's runs behind it */
                draw_line(frame);
                draw_points(frame);
                if (steps)
                        draw_strip(frame);
        }
        fputs("</svg>\n", frame->file);
}

char *plot_svg(const Plot *plot) {
        char *text = NULL;
        size_t size;
        Frame frame = {.plot = plot, .file = open_memstream(&text, &size)};
        if (!frame.file)
                return NULL;
        draw(&frame);
        bool failed = ferror(frame.file) != 0;
        if (fclose(frame.file) != 0 || failed) {
                free(text);
                return NULL;
        }
        return text;
}
