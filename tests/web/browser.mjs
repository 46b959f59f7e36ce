/* A browser that does what it is told: one JSON object a line on standard input, one answer a line on standard output. Driven by
 * browser.py.   node browser.mjs PACKAGES (the directory that holds node_modules) */
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const packages = createRequire(`${process.argv[2]}/`);
const { chromium } = packages("playwright-core");
const axe = readFileSync(packages.resolve("axe-core/axe.min.js"), "utf8");

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"];
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
let page;
let complaints = [];

/* Noted in the page itself, from its first moment: what moved without being asked to, and whether it was loaded anew. */
function note() {
  window.noted = { shift: 0, moved: [] };
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) continue;
      window.noted.shift += entry.value;
      window.noted.moved.push(`${entry.value.toFixed(4)} at ${Math.round(entry.startTime)} ms: ${entry.sources.map(({ node, previousRect, currentRect }) => `${node?.id || node?.className || node?.nodeName} from ${previousRect.x},${previousRect.y} to ${currentRect.x},${currentRect.y}`).join("; ")}`);
    }
  }).observe({ type: "layout-shift", buffered: true });
}

/* The page that was looked at is gone, and another comes. */
function loadedAnew(error) {
  if (!error.message.includes("Execution context was destroyed")) throw error;
}

const verbs = {
  async open({ url, scheme, width, height, motion }) {
    await page?.context().close();
    const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height }, reducedMotion: motion ?? "no-preference" });
    page = await context.newPage();
    complaints = [];
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(`${message.type()}: ${message.text()} (${message.location().url})`));
    page.on("pageerror", (error) => complaints.push(`exception: ${error.stack}`));
    await page.addInitScript(note);
    await page.goto(url);
  },
  /* Not waitForFunction(): it evaluates the text anew in the page, which its policy forbids. */
  async wait({ script, timeout }) {
    const end = Date.now() + timeout * 1000;
    const look = `(async () => {
      while (Date.now() < ${end}) {
        if (document.readyState === "complete" && (${script})) return true;
        await new Promise(requestAnimationFrame);
      }
      return false;
    })()`;
    let held;
    do held = await page.evaluate(look).catch(loadedAnew);
    while (held === undefined);
    if (!held) throw new Error(`not within ${timeout} s: ${script}`);
  },
  ask: ({ script }) => page.evaluate(script),
  async look({ scheme, width, height }) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height });
  },
  async axe() {
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    return { passes: passes.length, violations: violations.map(({ id, impact, nodes }) => `${id} (${impact}): ${nodes.map((node) => `${node.target}: ${node.failureSummary}`).join(" | ")}`) };
  },
  async press({ keys }) {
    for (const key of keys) await page.keyboard.press(key);
  },
  type: ({ text }) => page.keyboard.type(text),
  click: ({ selector }) => page.click(selector, { timeout: 5000 }),
  shot: ({ path, whole }) => page.screenshot({ path, fullPage: whole, animations: "disabled" }).then(() => true),
  complaints: () => complaints,
};

for await (const line of createInterface({ input: process.stdin })) {
  const { verb, ...rest } = JSON.parse(line);
  let answer;
  try {
    answer = { answer: (await verbs[verb](rest)) ?? null };
  } catch (error) {
    const text = await page?.evaluate(() => document.body.innerText).catch(() => "");
    answer = { error: `${verb}: ${error.message}`, text };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
