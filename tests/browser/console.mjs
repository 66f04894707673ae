// Drives the console in a headless Chromium, as a person would. Its one argument says where it is and what it finds there.
// Fails on the first thing that is not as it should be, and on anything that a page does behind the person's back.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const order = JSON.parse(process.argv[2]);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const STEP_LIMIT = 90_000;
const TABS_MAX = 200;
const SCREENS = [[1440, 900], [390, 844]];
const REASON = "HR sent a wrong export: the list of 22 November is being checked";
mkdirSync(order.screenshots, { recursive: true });

const browser = await chromium.launch({
  executablePath: order.chromium,
  // Root has no user namespace of its own to be confined in.
  args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
});
const wrong = [];

function check(holds, what) {
  if (!holds) throw new Error(`not as it should be: ${what}`);
}

async function open(width, height, scheme) {
  const context = await browser.newContext({
    baseURL: order.admin,
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: "reduce",
  });
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
    });
  });
  const page = await context.newPage();
  page.setDefaultTimeout(STEP_LIMIT);
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") wrong.push(`${page.url()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => wrong.push(`${page.url()}: ${error}`));
  page.on("dialog", (dialog) => wrong.push(`${page.url()}: a dialog: ${dialog.message()}`));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(order.admin).origin) wrong.push(`${page.url()} asks ${request.url()}`);
  });
  return page;
}

// The keyboard's way to something: what can't be reached like this can't be used by everybody.
async function tabTo(page, selector) {
  for (let presses = 0; presses < TABS_MAX; presses += 1) {
    await page.keyboard.press("Tab");
    const there = await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector);
    if (there) {
      const shown = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle !== "none");
      check(shown, `the focus on ${selector} can be seen`);
      return;
    }
  }
  throw new Error(`the keyboard does not reach ${selector} on ${page.url()}`);
}

// By keyboard to a link or a button, and through it.
async function press(page, selector, path) {
  await tabTo(page, selector);
  await enter(page, path);
}

// The next page, once it is there whole, and once its address has forgotten what was just done.
async function enter(page, path) {
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
  for (let looks = 0; looks < 40 && /[?&](did|approved)=/.test(page.url()); looks += 1) await page.waitForTimeout(50);
  const { pathname, search } = new URL(page.url());
  check(`${pathname}${search}` === path, `Enter leads to ${path}, and not to ${pathname}${search}`);
}

// `eval` of a text is not allowed on these pages, to axe either; the browser itself puts it in.
async function findings(page, what) {
  const client = await page.context().newCDPSession(page);
  await client.send("Runtime.evaluate", { expression: axe });
  const run = "axe.run(document, { resultTypes: ['violations'] }).then((r) => JSON.stringify(r.violations))";
  const { result } = await client.send("Runtime.evaluate", { expression: run, awaitPromise: true, returnByValue: true });
  await client.detach();
  const serious = JSON.parse(result.value).filter((one) => ["serious", "critical"].includes(one.impact));
  for (const one of serious) {
    for (const node of one.nodes.slice(0, 5)) wrong.push(`${what}: ${one.impact}: ${one.id}: ${node.target.join(" ")}: ${node.failureSummary}`);
  }
  return JSON.parse(result.value).map((one) => `${one.id} (${one.impact})`);
}

async function fits(page, what) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (over > 0) wrong.push(`${what}: wider than the screen by ${over} px`);
  // What is cut off inside a card is as lost as what is beside the screen.
  const cut = await page.evaluate(() => Array.from(document.querySelectorAll(".card"), (card) => card.scrollWidth - card.clientWidth).filter((px) => px > 1));
  if (cut.length > 0) wrong.push(`${what}: cut off in a card by ${cut.join(", ")} px`);
}

// A page as it is shown, without what axe objects to and without anything beside the screen.
async function look(page, what, path, screen) {
  await page.goto(path);
  await page.evaluate(() => document.querySelectorAll("details.kind, .card:not(.flush) > details").forEach((one, index) => { one.open = index === 0; }));
  await page.screenshot({ path: join(order.screenshots, `${what}-${screen}.png`), fullPage: true });
  const all = await findings(page, `${what} ${screen}`);
  console.log(`${what} ${screen}: ${all.join(", ") || "nothing"}`);
  await fits(page, `${what} ${screen}`);
}

async function signIn(page) {
  await page.goto("/");
  check(new URL(page.url()).pathname === "/sign-in", "without a session, the sign-in comes first");
  await tabTo(page, "#token");
  await page.keyboard.type(order.token);
  await enter(page, "/");
}

async function signOut(page) {
  await tabTo(page, ".who button");
  await enter(page, "/sign-in");
}

// 1. The whole way of one person, by keyboard alone.
const page = await open(1440, 900, "light");
await signIn(page);
await tabTo(page, ".skip");
await page.keyboard.press("Enter");
check((await page.evaluate(() => document.activeElement.id)) === "content", "the skip link leads to the content");
await page.goto("/");
await press(page, 'nav a[href="/held"]', "/held");
await press(page, `a[href="/offboardings/${order.held}"]`, `/offboardings/${order.held}`);
check((await page.locator("h1").innerText()).includes(order.person), "the page names the person");
await press(page, "#do-approve", `/offboardings/${order.held}/approve`);
await tabTo(page, 'button[type="submit"].primary');
await enter(page, `/offboardings/${order.held}`);
check((await page.locator(".notice").innerText()).includes("Approved"), "the page says what was done");

// It moves by itself: the same document shows one state after the other.
await page.evaluate(() => { window.stillHere = true; });
await page.locator(".live.on").waitFor();
await page.locator("#entries").focus();
const states = new Set();
const begun = Date.now();
let shot = false;
while (Date.now() - begun < STEP_LIMIT) {
  const now = await page.evaluate(() => {
    const text = (selector) => Array.from(document.querySelectorAll(selector), (one) => one.textContent).join("/");
    return { badge: text(".now .badge"), steps: `${text(".tally strong")} ${text(".step .count")}` };
  });
  states.add(now.steps);
  if (!shot && now.badge.includes("at work") && states.size > 1) {
    await page.screenshot({ path: join(order.screenshots, "live-1440-light.png"), fullPage: true });
    shot = true;
  }
  if (now.badge.includes("done")) break;
  await page.waitForTimeout(50);
}
check((await page.locator(".now").innerText()).includes("offboarded"), "it was carried out before somebody's eyes");
check(states.size >= 3, `it moved while it was watched: ${states.size} states`);
check(await page.evaluate(() => window.stillHere === true), "the page was never loaded again");
check((await page.evaluate(() => document.activeElement.id)) === "entries", "what moves does not take the focus away");
check((await page.locator('[aria-live="polite"]').innerText()).length > 0, "who listens was told");

await press(page, "#do-restore", `/offboardings/${order.held}/restore`);
await tabTo(page, 'button[type="submit"].danger');
await enter(page, `/offboardings/${order.held}`);
await page.locator(".now", { hasText: "Done: restored" }).waitFor();
await page.screenshot({ path: join(order.screenshots, "restored-1440-light.png"), fullPage: true });

// The service is paused with a reason, every page says so, and it goes on.
await page.goto("/");
await press(page, "#do-pause", "/pause");
await tabTo(page, "#reason");
await page.keyboard.type(REASON);
await enter(page, "/");
check((await page.locator(".notice").innerText()).includes("The service is paused"), "the page says what was done");
for (const path of ["/", "/offboardings", "/callbacks", "/layoffs"]) {
  await page.goto(path);
  const said = await page.locator('[role="region"][aria-label="Paused"]').innerText();
  check(said.includes(REASON) && said.includes("bob"), `${path} says that the service is paused`);
}
for (const scheme of ["light", "dark"]) {
  for (const [width, height] of SCREENS) {
    const other = await open(width, height, scheme);
    await signIn(other);
    for (const [what, path] of [["paused", "/"], ["resume", "/resume"]]) {
      await look(other, what, path, `${width}-${scheme}`);
    }
    await signOut(other);
    await other.context().close();
  }
}
await press(page, "#do-resume", "/resume");
await tabTo(page, 'button[type="submit"].primary');
await enter(page, "/");
check((await page.locator('[role="region"][aria-label="Paused"]').count()) === 0, "nothing says any more that it is paused");

// Whoever chooses with the arrow keys is not sent off before they have chosen.
await page.goto("/offboardings");
await tabTo(page, "#status");
await page.keyboard.press("ArrowDown");
await page.waitForTimeout(300);
check(new URL(page.url()).search === "" && (await page.locator("#status").inputValue()) === "scheduled", "the choice waits for the button");
await tabTo(page, ".filters button");
await enter(page, "/offboardings?person=&status=scheduled&reason=&source=");

// A callback that was given up is sent once more, and the list stays as it was chosen.
await page.goto("/callbacks?status=gave_up");
const given = await page.locator("tbody tr").count();
await tabTo(page, ".act button");
await enter(page, "/callbacks?status=gave_up");
check((await page.locator("tbody tr").count()) === given - 1, "one fewer is given up");

// 2. Every page on every screen.
const pages = [
  ["overview", "/"],
  ["offboardings", "/offboardings"],
  ["offboarding", `/offboardings/${order.held}`],
  ["held", "/held"],
  ["events", "/events"],
  ["event", `/events/E1001`],
  ["sources", "/sources"],
  ["callbacks", "/callbacks"],
  ["layoffs", "/layoffs"],
  ["pause", "/pause"],
  ["new", `/offboardings/new?person=${encodeURIComponent(order.person)}`],
];
for (const scheme of ["light", "dark"]) {
  for (const [width, height] of SCREENS) {
    const other = await open(width, height, scheme);
    await other.goto("/sign-in");
    const name = (what) => join(order.screenshots, `${what}-${width}-${scheme}.png`);
    await other.screenshot({ path: name("sign-in"), fullPage: true });
    await findings(other, `sign-in ${width} ${scheme}`);
    await signIn(other);
    await other.goto("/held");
    const ask = await other.evaluate(() => {
      const box = document.querySelector('input[name="id"]');
      return box ? `/held/approve?reason=${box.form.elements.reason.value}&id=${box.value}` : null;
    });
    check(ask !== null, "something can be ticked");
    await other.goto("/layoffs");
    const layoff = await other.evaluate(() => document.querySelector('a[href$="/approve"]')?.getAttribute("href"));
    check(layoff !== undefined, "a layoff can be approved");
    for (const [what, path] of [...pages, ["approve", ask], ["layoff", layoff]]) {
      await look(other, what, path, `${width}-${scheme}`);
    }
    await signOut(other);
    await other.context().close();
  }
}

// Between a phone and a desk, and enlarged: nothing is cut off.
for (const width of [320, 720, 901, 1101]) {
  const other = await open(width, 800, "light");
  await signIn(other);
  for (const [what, path] of pages) {
    await other.goto(path);
    await fits(other, `${what} ${width}`);
  }
  await signOut(other);
  await other.context().close();
}

// 3. Out, and nothing is left behind.
await page.goto("/");
await press(page, ".who button", "/sign-in");
await page.goBack();
check(new URL(page.url()).pathname === "/sign-in" || (await page.locator("#token").count()) === 1, "back shows nothing any more");
await page.goto(`/offboardings/${order.held}`);
check(new URL(page.url()).pathname === "/sign-in", "the session is over");

await browser.close();
if (wrong.length > 0) {
  console.error(wrong.join("\n"));
  process.exit(1);
}
