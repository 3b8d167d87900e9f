// Looks at the pages of a directory with Chromium: node page.cjs DIR. Each check that
// fails is told, and makes the exit status 1.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { chromium } = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const dir = path.resolve(process.argv[2]);
let failed = 0;
let current = '';

function check(ok, what, detail) {
  if (ok) return;
  failed++;
  console.log(`FAIL ${current}: ${what}${detail === undefined ? '' : ': ' + JSON.stringify(detail)}`);
}
function equal(got, want, what) { check(JSON.stringify(got) === JSON.stringify(want), what, { got, want }); }

// open opens a page; what it complains of, asks for or tries to pop up is noted.
async function open(browser, name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const url = 'file://' + path.join(dir, name);
  page.noted = [];
  page.on('console', (message) => page.noted.push('console: ' + message.text()));
  page.on('pageerror', (error) => page.noted.push('error: ' + error.message));
  page.on('dialog', (dialog) => { page.noted.push('dialog: ' + dialog.message()); return dialog.dismiss(); });
  page.got = [];
  page.on('requestfinished', (request) => page.got.push(request.url()));
  page.on('requestfailed', (request) => { if (!/csp/i.test(request.failure().errorText)) page.got.push(request.url()); });
  page.on('request', (request) => { if (request.url() !== url && !request.url().startsWith('data:,')) page.noted.push('request: ' + request.url()); });
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (e) => window.violations.push(e.violatedDirective + ' ' + e.blockedURI));
  });
  await page.goto(url);
  if (options.javaScriptEnabled !== false) await page.waitForSelector('.app:not([hidden])');
  return page;
}

async function close(page, script = true) {
  equal(page.noted, [], 'nothing to complain of');
  if (script) equal(await page.evaluate(() => window.violations), [], 'the policy holds');
  await page.context().close();
}

const frame = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
const counts = (page) => page.locator('section.trace:not([hidden]) .counts').textContent();

async function filter(page, line) {
  await page.locator('section.trace:not([hidden]) input[type=search]').fill(line);
  await page.waitForTimeout(200); // the box waits for the end of typing
  await frame(page);
  return counts(page);
}

const rows = (page) => page.locator('section.trace:not([hidden]) .rows tbody tr').count();
const column = (page, n) => page.locator(`section.trace:not([hidden]) .rows tbody tr td:nth-child(${n})`).allTextContents();
const shown = async (page) => { await frame(page); return page.locator('section.trace:not([hidden]) .chart').getAttribute('aria-description'); };

async function session(browser) {
  const page = await open(browser, 'session.html');
  equal(await page.title(), 'IPC on web-1 · ipctrace', 'title');
  check((await page.locator('.verdict').textContent()).includes('Whole'), 'the verdict is told');
  equal(await counts(page), '17 events · 6 objects', 'all is shown');
  equal(await filter(page, 'kind:msg'), '4 of 17 events · 2 of 6 objects', 'kind');
  equal(await filter(page, 'event:fail'), '1 of 17 events · 0 of 6 objects', 'event');
  equal(await filter(page, 'errno:enospc comm:oracle'), '1 of 17 events · 0 of 6 objects', 'errno and comm');
  equal(await filter(page, 'ns:4026532765.2'), '2 of 17 events · 1 of 6 objects', 'ns with gen');
  equal(await filter(page, 'ns:host -kind:sem'), '2 of 17 events · 1 of 6 objects', 'ns, and not a kind');
  equal(await filter(page, 'container:4f79'), '4 of 17 events · 2 of 6 objects', 'container');
  equal(await filter(page, 'uid:999 pid:4711 kind:mq'), '1 of 17 events · 1 of 6 objects', 'uid and pid');
  equal(await filter(page, 'left:yes'), '2 of 17 events · 2 of 6 objects', 'left');
  equal(await filter(page, 'apache2'), '1 of 17 events · 1 of 6 objects', 'text');
  equal(await filter(page, 'nobody-has-this'), '0 of 17 events · 0 of 6 objects', 'nothing');
  check((await page.locator('.rows').textContent()).includes('Nothing matches'), 'nothing is said to match');
  check((await filter(page, 'pdi:1')).includes('no such word: pdi'), 'a wrong word is told');
  await filter(page, '');
  await tables(page);
  await keys(page);
  await mouse(page);
  await close(page);
}

async function tables(page) {
  equal(await rows(page), 17, 'rows of events');
  const head = page.locator('.rows th', { hasText: 'Event' });
  await head.locator('button').click();
  equal(await head.getAttribute('aria-sort'), 'ascending', 'sorted');
  const up = (await column(page, 2)).map((text) => text.replace('✗ ', ''));
  equal(up, [...up].sort(), 'rows are sorted');
  await head.locator('button').press('Enter');
  equal(await head.getAttribute('aria-sort'), 'descending', 'sorted the other way');
  equal((await column(page, 2)).map((text) => text.replace('✗ ', '')), [...up].sort().reverse(), 'rows are sorted the other way');
  equal(await page.evaluate(() => document.activeElement.textContent), 'Event', 'the focus stays on the heading');
  await page.getByRole('tab', { name: /Events/ }).focus();
  await page.keyboard.press('ArrowRight');
  equal(await page.getByRole('tab', { name: /Objects/ }).getAttribute('aria-selected'), 'true', 'tabs by arrow');
  equal(await rows(page), 6, 'rows of objects');
  await page.locator('.rows tbody tr', { hasText: '/jobs' }).locator('button').press('Enter');
  const details = page.locator('#details');
  check(await details.isVisible() && (await details.textContent()).includes('left behind'), 'details of an object', await details.textContent());
  await page.keyboard.press('Escape');
  check(await details.isHidden(), 'Escape shuts the details');
  await page.getByRole('tab', { name: /Namespaces/ }).click();
  equal(await rows(page), 4, 'rows of namespaces');
  await page.getByRole('tab', { name: /Events/ }).click();
}

async function keys(page) {
  const all = await shown(page);
  await page.locator('.chart').focus();
  await page.keyboard.press('+');
  const near = await shown(page);
  check(near !== all, '+ zooms in', near);
  await page.keyboard.press('Shift+ArrowRight');
  check(await shown(page) !== near, 'Shift and arrow move');
  await page.keyboard.press('-');
  await page.keyboard.press('-');
  equal(await shown(page), all, '- zooms out');
  await page.keyboard.press('+');
  await page.keyboard.press('0');
  equal(await shown(page), all, '0 shows all');
  await page.keyboard.press('Home');
  check((await page.locator('#said').textContent()).startsWith('namespace.found'), 'Home goes to the first event');
  for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowRight');
  check((await page.locator('#said').textContent()).startsWith('object.create'), 'arrows go from event to event', await page.locator('#said').textContent());
  await page.keyboard.press('Enter');
  check((await page.locator('#details').textContent()).includes('ipcmk[62431]'), 'Enter tells details');
  equal(await page.evaluate(() => document.activeElement.textContent), 'Close', 'the focus goes to the details');
  await page.keyboard.press('Escape');
  check(await page.evaluate(() => document.activeElement.className === 'chart'), 'the focus comes back');
  await page.keyboard.press('/');
  check(await page.evaluate(() => document.activeElement.type === 'search'), '/ goes to the filter');
  await page.keyboard.press('Escape');
}

// mouse looks for a bar, as nothing tells where it is drawn.
async function mouse(page) {
  await page.locator('.chart').scrollIntoViewIfNeeded();
  const box = await page.locator('.chart').boundingBox();
  let found;
  for (let y = 30; y < box.height && !found; y += 5) {
    await page.mouse.move(box.x + box.width - 60, box.y + y);
    const text = await page.locator('#tip').isVisible() ? await page.locator('#tip').textContent() : '';
    if (text.startsWith('msg 0')) found = y;
  }
  check(found !== undefined, 'hovering tells of a bar');
  if (found === undefined) return;
  await page.mouse.click(box.x + box.width - 60, box.y + found);
  const details = await page.locator('#details').textContent();
  check(details.includes('4026532765.2 sh[63001]') && details.includes('≠ same key in'), 'a click tells details', details);
  await page.locator('#details .shut').click();
  await page.waitForTimeout(100);
  const all = await shown(page);
  const over = await page.locator('.overview').boundingBox();
  await page.mouse.move(over.x + 500, over.y + 20);
  await page.mouse.down();
  await page.mouse.move(over.x + 700, over.y + 20);
  await page.mouse.up();
  check(await shown(page) !== all, 'dragging over the overview zooms', all);
  await page.getByRole('button', { name: 'Show all (0)' }).click();
  equal(await shown(page), all, 'the button shows all');
}

// looks of a page in every way that it may be seen.
async function looks(browser) {
  for (const colorScheme of ['light', 'dark']) {
    for (const name of ['session.html', 'broken.html']) {
      current = name + ', ' + colorScheme;
      const page = await open(browser, name, { colorScheme });
      await page.locator('.rows tbody tr button').first().click();
      await page.evaluate(axe);
      const found = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }));
      for (const v of found.violations) check(false, 'axe ' + v.id, v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + ' ' + n.failureSummary));
      check(found.passes.length > 20, 'axe looked at it', found.passes.length);
      await close(page);
    }
  }
  current = 'narrow';
  for (const width of [800, 360]) {
    const page = await open(browser, 'session.html', { viewport: { width, height: 600 } });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    check(wide <= width, `it fits into ${width} pixels`, wide);
    await close(page);
  }
}

async function print(browser) {
  const page = await open(browser, 'session.html');
  await page.emulateMedia({ media: 'print' });
  check(await page.locator('.drawing svg').isVisible(), 'the drawing is printed');
  check(await page.locator('.still table').isVisible(), 'the table of namespaces is printed');
  check(await page.locator('.chart').isHidden() && await page.locator('input').isHidden(), 'what one clicks is not');
  const pdf = await page.pdf();
  check(pdf.length > 10000 && pdf.subarray(0, 5).toString() === '%PDF-', 'a PDF', pdf.length);
  await close(page);
}

async function scriptless(browser) {
  const page = await open(browser, 'session.html', { javaScriptEnabled: false });
  check(await page.locator('.drawing svg').isVisible(), 'the drawing is shown');
  check(await page.locator('noscript').isVisible(), 'it says what needs scripts');
  await close(page, false);
}

async function hostile(browser) {
  for (const name of fs.readdirSync(dir).filter((file) => /^hostile.*\.html$/.test(file)).sort()) {
    current = name;
    const page = await open(browser, name);
    for (const tab of await page.getByRole('tab').all()) {
      await tab.click();
      for (const row of (await page.locator('.rows tbody tr button').all()).slice(0, 12)) await row.click();
    }
    await page.locator('.chart').focus();
    for (let i = 0; i < 8; i++) await page.keyboard.press('ArrowRight');
    equal(await page.evaluate(() => document.querySelectorAll('script:not([type]), img, iframe, [onerror]').length), 1, 'one script and no pictures');
    const text = await page.locator('body').innerText();
    const control = [...text].find((c) => /\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u.test(c) && !'\n\t'.includes(c));
    check(control === undefined, 'no control characters', control);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    check(width <= 1280, 'long names do not widen it', width);
    await close(page);
  }
}

// policy tries what the policy forbids.
async function policy(browser) {
  const page = await open(browser, 'session.html');
  await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.ran = true';
    const picture = document.createElement('img');
    picture.src = 'http://127.0.0.1:9/x.png';
    document.body.append(script, picture);
    const button = document.createElement('button');
    button.setAttribute('onclick', 'window.ran = true');
    document.body.append(button);
    button.click();
  });
  await page.waitForTimeout(100);
  equal(await page.evaluate(() => window.ran), undefined, 'nothing else runs');
  const seen = await page.evaluate(() => window.violations.map((v) => v.split(' ')[0]).sort());
  equal(seen, ['img-src', 'script-src-attr', 'script-src-elem'], 'the policy forbids it');
  equal(page.got.filter((url) => !url.startsWith('file:') && !url.startsWith('data:')), [], 'nothing was asked for');
  await page.context().close();
}

async function traces(browser) {
  const page = await open(browser, 'traces.html');
  equal(await page.locator('section.trace:visible').count(), 1, 'one trace at a time');
  await page.locator('#choose').selectOption('1');
  equal(await page.locator('section.trace:visible').getAttribute('id'), 'trace-1', 'the other one');
  equal(await counts(page), '17 events · 6 objects', 'is shown');
  await close(page);
}

// busy is a page of 100,000 events: times are told, not judged.
async function busy(browser) {
  const took = [];
  const time = async (what, does) => { const begin = Date.now(); await does(); took.push(`${what} ${Date.now() - begin} ms`); };
  let page;
  await time('load', async () => { page = await open(browser, 'busy.html'); await frame(page); });
  await page.locator('.chart').focus();
  await time('zoom', async () => { await page.keyboard.press('+'); await frame(page); });
  await time('all', async () => { await page.keyboard.press('0'); await frame(page); });
  await time('arrow', async () => { await page.keyboard.press('ArrowRight'); await frame(page); });
  await time('filter', () => filter(page, 'kind:msg event:fail'));
  check((await counts(page)).startsWith('1,000 of 100,000 events'), 'it filters', await counts(page));
  await filter(page, '');
  equal(await rows(page), 200, 'a page of rows');
  await page.getByRole('button', { name: /^Show 200 more/ }).click();
  equal(await rows(page), 400, 'and another');
  await time('sort', async () => { await page.locator('.rows th button', { hasText: 'Process' }).click(); await frame(page); });
  console.log('100,000 events: ' + took.join(', '));
  await close(page);
}

async function main() {
  const args = ['--headless', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  if (process.getuid() === 0) args.push('--no-sandbox');
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args });
  try {
    for (const test of [session, looks, print, scriptless, hostile, policy, traces, busy]) {
      current = test.name;
      await test(browser).catch((error) => check(false, error.stack));
    }
  } finally {
    await browser.close();
  }
  process.exitCode = failed > 0 ? 1 : 0;
}

main();
