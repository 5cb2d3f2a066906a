// What an installer does on the page, in a headless Chromium the size of a phone: node installer.mjs JSON
//
// JSON: {"url", "password", "pictures": directory, "steps": [...]}; a step is [what, ...words], see below. Prints a JSON
// list with what each step saw, for host_tests/test_web_in_browser.py to judge. An exception ends it with exit code 1.

import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';

const { url, password, pictures, steps } = JSON.parse(process.argv[2]);

// The package unpacks its Chromium there, once. It was made for Amazon's Linux, and brings the libraries that a machine
// without a desktop may not have if it is told that it is there.
process.env.TMPDIR = path.resolve(import.meta.dirname, '../../build/browser');
process.env.AWS_LAMBDA_JS_RUNTIME = 'nodejs22.x';
fs.mkdirSync(process.env.TMPDIR, { recursive: true });
const { default: packaged } = await import('@sparticuz/chromium');
const { chromium } = await import('playwright-core');

const browser = await chromium.launch({
  executablePath: await packaged.executablePath(),
  args: os.userInfo().uid === 0 ? ['--no-sandbox'] : [],  // Chromium has no sandbox for root
});
const context = await browser.newContext({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true });
const page = await context.newPage();
page.setDefaultTimeout(15000);
const noise = [];
page.on('pageerror', error => noise.push(String(error)));
page.on('dialog', dialog => { noise.push(dialog.message()); dialog.dismiss(); });

const field = name => page.locator(`#settings [name="${name}"]`);
const does = {
  open: async () => { await page.goto(url); return page.title(); },
  login: async (word = password) => {
    await page.fill('#login input', word);
    const answered = page.waitForResponse(answer => answer.url().endsWith('/login'));
    await page.click('#login button');
    return (await answered).status();
  },
  try: async word => { await page.fill('#login input', word); await page.click('#login button'); },
  leave: async () => context.setOffline(true),
  return: async () => context.setOffline(false),
  // What is shown under a heading; `wanted` is text to wait for.
  view: async (name, wanted) => {
    await page.click(`nav button:text-is("${name}")`);
    await page.waitForFunction(text => document.querySelector('#lines').textContent.includes(text), wanted);
    return page.innerText('#lines');
  },
  settings: async () => { await page.click('nav button:text-is("settings")'); await field('station_id').waitFor(); },
  type: async (name, value) => field(name).fill(value),
  value: async name => field(name).inputValue(),
  save: async () => {
    const answered = page.waitForResponse(answer => answer.url().endsWith('/config') &&
      answer.request().method() === 'POST');
    await page.click('#settings button');
    return (await answered).status();
  },
  press: async () => page.click('#settings button'),
  // [name of the field, text] of every complaint, once there is one.
  complaints: async () => page.waitForSelector('label.bad').then(() => page.$$eval('label.bad', labels => labels.map(label =>
    [label.children[0].name, label.lastChild.textContent]))),
  wait: async milliseconds => page.waitForTimeout(milliseconds),
  see: async text => page.waitForFunction(wanted => document.body.innerText.includes(wanted), text).then(() => true),
  // How far the page is wider than the phone.
  overflow: async () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth),
  count: async selector => page.locator(selector).count(),
  // Whether a script that somebody got into the page would run.
  inject: async () => page.evaluate(() => {
    const made = document.createElement('script');
    made.textContent = 'window.injected = true';
    document.body.append(made);
    return window.injected === true;
  }),
  // What a page of another site achieves in the same browser: the board's page in a frame, and two requests to it.
  elsewhere: async () => {
    const served = http.createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end('<body>'));
    await new Promise(ready => served.listen(0, '127.0.0.1', ready));
    const other = await context.newPage();
    await other.goto(`http://localhost:${served.address().port}/`);
    const seen = await other.evaluate(async target => {
      const frame = document.createElement('iframe');
      frame.src = target;
      document.body.append(frame);
      await new Promise(loaded => { frame.onload = frame.onerror = loaded; });
      const attempt = (path, headers) => fetch(target + path, { method: 'POST', body: '{"password": "x"}', headers })
        .then(answer => answer.status, () => 'refused');
      return { off: await attempt('off', { 'X-Token': '0' }), login: await attempt('login') };
    }, url);
    const framed = other.frames().filter(frame => frame.url() === url);
    const inside = framed.length ? await framed[0].locator('#login').count() : 0;
    served.close();
    return { framed: inside > 0, ...seen };
  },
  cookies: async () => page.evaluate(() => document.cookie),
  picture: async name => { await page.screenshot({ path: path.join(pictures, name + '.png') }); },
};

try {
  const seen = [];
  for (const [what, ...words] of steps)
    seen.push(await does[what](...words) ?? null);
  console.log(JSON.stringify({ seen, noise }));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await browser.close();
}
