/* One metric over time: its line, its threshold, its degraded and unknown samples, and the releases that came and went. Drawn by
 * uPlot; what it shows is also in words beside it. */

const uPlot = globalThis.uPlot;
const AXIS_FONT = "11px system-ui, sans-serif";
const HEIGHT = 140;
const ROW = 13;
const TOP = 2 * ROW + 2; // room for the releases' names, in two rows
const RIGHT = 38;

export class Chart {
  /* `metric`: see view-metrics.js. */
  constructor(host, metric) {
    this.host = host;
    this.metric = metric;
    this.plot = new uPlot(this.#options(), [[], []], host);
    new ResizeObserver(() => this.#fit()).observe(host);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.plot.redraw(false));
  }

  /* `marks`: [{ at, label }], in seconds. */
  update(samples, limit, marks, span) {
    this.samples = withGaps(samples);
    this.limit = limit;
    this.marks = marks;
    const times = this.samples.map((sample) => sample.at);
    const end = times.at(-1) ?? Date.now() / 1000;
    this.plot.batch(() => {
      this.plot.setData([times, this.samples.map((sample) => (sample.gap ? null : this.metric.of(sample)))], false);
      this.plot.setScale("x", { min: end - span, max: end + span / 60 });
    });
  }

  #fit() {
    const width = Math.floor(this.host.clientWidth);
    if (width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: HEIGHT });
  }

  #colour(name) {
    return getComputedStyle(this.host).getPropertyValue(`--${name}`).trim();
  }

  #options() {
    const axis = {
      stroke: () => this.#colour("muted"),
      font: AXIS_FONT,
      ticks: { show: false },
      grid: { stroke: () => this.#colour("line"), width: 1 },
    };
    return {
      width: Math.max(this.host.clientWidth, 200),
      height: HEIGHT,
      padding: [TOP, RIGHT, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      tzDate: (time) => uPlot.tzDate(new Date(time * 1000), "UTC"),
      scales: { x: { time: true, auto: false }, y: { range: (_, low, high) => this.metric.range(low, high, this.limit) } },
      series: [{}, { stroke: () => this.#colour("accent"), width: 1.75, spanGaps: false, points: { show: false } }],
      axes: [
        { ...axis, size: 22, gap: 4, space: 70, grid: { show: false }, values: (_, splits) => splits.map((at) => clockOf(at, splits)) },
        { ...axis, size: (_, ticks) => widest(ticks), gap: 5, space: 26, values: (_, splits) => splits.map((value) => this.metric.tick(value)) },
      ],
      hooks: { draw: [(plot) => this.#draw(plot)], setCursor: [(plot) => this.#point(plot)] },
    };
  }

  /* What is under the pointer, in words. */
  #point(plot) {
    const sample = plot.cursor.idx === null || plot.cursor.idx === undefined ? null : this.samples?.[plot.cursor.idx];
    this.host.dispatchEvent(new CustomEvent("sample", { detail: plot.cursor.left >= 0 && sample && !sample.gap ? sample : null }));
  }

  #draw(plot) {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top - TOP * ratio, bbox.width + RIGHT * ratio, bbox.height + TOP * ratio);
    ctx.clip();
    this.#drawMarks(plot, ratio);
    if (this.limit !== null && this.limit !== undefined) this.#drawLimit(plot, ratio);
    for (const sample of this.samples ?? []) this.#drawSample(plot, ratio, sample);
    ctx.restore();
  }

  #drawMarks(plot, ratio) {
    const { ctx, bbox } = plot;
    ctx.font = `${10.5 * ratio}px system-ui, sans-serif`;
    ctx.textBaseline = "top";
    ctx.textAlign = "left";
    const end = bbox.left + bbox.width + RIGHT * ratio;
    const free = [end, end]; // names don't lie over each other: what is near goes into the second row, and the newest goes first
    for (const mark of [...(this.marks ?? [])].sort((one, other) => other.at - one.at)) {
      const x = Math.round(plot.valToPos(mark.at, "x", true)) + 0.5;
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = this.#colour("muted");
      ctx.lineWidth = ratio;
      ctx.setLineDash([1.5 * ratio, 3 * ratio]);
      line(ctx, x, bbox.top - TOP * ratio, x, bbox.top + bbox.height);
      ctx.fillStyle = this.#colour("muted");
      const width = ctx.measureText(mark.label).width;
      const left = x + 4 * ratio;
      const row = free.findIndex((place) => left + width <= place);
      if (row < 0) continue;
      const top = bbox.top + (row * ROW - TOP) * ratio;
      ctx.clearRect(left - ratio, top, width + 2 * ratio, ROW * ratio); // the line of a newer one
      ctx.fillText(mark.label, left, top);
      free[row] = left - 6 * ratio;
    }
  }

  #drawLimit(plot, ratio) {
    const { ctx, bbox } = plot;
    const y = Math.round(plot.valToPos(this.limit, "y", true)) + 0.5;
    ctx.strokeStyle = this.#colour("bad");
    ctx.lineWidth = 1.25 * ratio;
    ctx.setLineDash([6 * ratio, 4 * ratio]);
    line(ctx, bbox.left, y, bbox.left + bbox.width, y);
  }

  #drawSample(plot, ratio, sample) {
    const { ctx, bbox } = plot;
    if (sample.gap) return;
    const value = this.metric.of(sample);
    const x = plot.valToPos(sample.at, "x", true);
    ctx.setLineDash([]);
    if (value === null || sample.state === "unknown") {
      ctx.fillStyle = this.#colour("unknown");
      ctx.font = `${11 * ratio}px system-ui, sans-serif`;
      ctx.textBaseline = "bottom";
      ctx.textAlign = "center";
      ctx.fillText("?", x, bbox.top + bbox.height);
      if (value === null) return;
    }
    const y = plot.valToPos(value, "y", true);
    if (this.metric.exceeds(value, this.limit)) {
      const size = 3.4 * ratio;
      ctx.strokeStyle = this.#colour("bad");
      ctx.lineWidth = 2 * ratio;
      line(ctx, x - size, y - size, x + size, y + size);
      line(ctx, x - size, y + size, x + size, y - size);
    } else {
      ctx.fillStyle = this.#colour("accent");
      ctx.beginPath();
      ctx.arc(x, y, 1.9 * ratio, 0, 2 * Math.PI);
      ctx.fill();
    }
  }
}

/* Room for the longest of the values beside it. */
const ruler = document.createElement("canvas").getContext("2d");
function widest(ticks) {
  ruler.font = AXIS_FONT;
  return Math.max(46, ...(ticks ?? []).map((tick) => Math.ceil(ruler.measureText(tick).width) + 10));
}

/* Where nothing was measured the line is broken, too. */
function withGaps(samples) {
  const points = [];
  for (const sample of samples) {
    const at = Date.parse(sample.end) / 1000;
    const start = Date.parse(sample.start) / 1000;
    const before = points.at(-1);
    if (before && start - before.at > (at - start) / 2) points.push({ gap: true, at: start });
    points.push({ ...sample, at });
  }
  return points;
}

function line(ctx, x1, y1, x2, y2) {
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
}

/* Seconds only where the marks are closer than a minute. */
function clockOf(at, splits) {
  const fine = splits.length > 1 && splits[1] - splits[0] < 60;
  return new Date(at * 1000).toISOString().slice(11, fine ? 19 : 16);
}
