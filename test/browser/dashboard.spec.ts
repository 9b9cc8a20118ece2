import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BooksApp } from '../books/support/books-app.js';
import { PLATFORMS } from '../support/application.js';
import {
  openPage,
  type OpenPage,
  overflow,
  seriousViolations,
  startBrowser,
} from '../support/browser/browser.js';

/** Waits until an expression is true in the page, whose policy forbids it to evaluate texts by itself. */
const until = async (page: Page, expression: string): Promise<void> => {
  await expect.poll(() => page.evaluate(expression), { timeout: 20_000 }).toBe(true);
};

const VIEWS = ['overview', 'routes', 'log', 'entries', 'explain'] as const;

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser?.close());

describe.each(PLATFORMS)('the dashboard of the books API on %s', (platform) => {
  let app: BooksApp;
  let open: OpenPage | undefined;

  beforeAll(async () => {
    app = await BooksApp.start(platform, { dashboard: true });
    for (const path of [
      '/books',
      '/books',
      '/books?page=2',
      '/books/emma',
      '/languages',
      '/about',
      '/',
      '/books/none',
    ])
      await app.get(path);
  });
  afterAll(() => app.close());
  afterEach(async () => {
    await open?.close();
    open = undefined;
  });

  const show = async (view = 'overview', options: Parameters<typeof openPage>[2] = {}): Promise<OpenPage> => {
    open = await openPage(browser, `${app.url}/_cache#${view}`, options);
    await open.page.locator('#connection[data-state="live"]').waitFor();
    return open;
  };

  it('shows live what happens under load, from its own origin alone', async () => {
    const { page, problems, origins } = await show();
    const ratio = page.locator('#ratio');
    await page.locator('#legend-answers b').first().waitFor();
    const over = new AbortController();
    const load = (async () => {
      while (!over.signal.aborted)
        await Promise.all([app.get('/books'), app.get('/books/emma'), app.get('/about')]);
    })();
    await until(page, "/[1-9]/.test(document.getElementById('rate').textContent)");
    await until(page, "parseFloat(document.getElementById('ratio').textContent) > 50");
    over.abort();
    await load;
    expect(await ratio.textContent()).toMatch(/^\d+(\.\d)? %$/);
    expect(await page.locator('#saved').textContent()).toMatch(/\d/);
    expect(await page.locator('#store').textContent()).toBe('Healthy');
    expect(await page.locator('#memory-note').textContent()).toContain('entries');
    expect(await page.locator('.chart canvas').count()).toBe(4);
    expect(problems).toEqual([]);
    expect([...origins]).toEqual([app.url]);
  });

  it('filters the log as new lines come', async () => {
    const { page } = await show('log');
    await page.locator('#log-body tr').first().waitFor();
    await page.getByLabel('Filter by route or detail').fill('languages');
    await app.get('/languages');
    await until(
      page,
      "[...document.querySelectorAll('#log-body tr')].some((row) => row.innerText.includes('Hit'))",
    );
    const rows = await page.locator('#log-body tr').allInnerTexts();
    expect(rows.every((row) => row.includes('LanguagesController'))).toBe(true);
    await page.getByLabel('Hit', { exact: true }).uncheck();
    expect((await page.locator('#log-body tr').allInnerTexts()).every((row) => !row.includes('Hit'))).toBe(
      true,
    );
  });

  it('evicts by tag after a confirmation, and the next request misses', async () => {
    await app.get('/languages');
    expect((await app.get('/languages')).verdict).toBe('HIT');
    const { page } = await show('entries');
    await page.locator('#evict-value').fill('languages');
    const evict = page.getByRole('button', { name: 'Evict…', exact: true }).first();
    await evict.click();
    await page.locator('#confirm').getByRole('button', { name: 'Cancel' }).click();
    expect((await app.get('/languages')).verdict).toBe('HIT');
    await evict.click();
    await page.locator('#confirm').getByRole('button', { name: 'Evict' }).click();
    await page.locator('#toast').filter({ hasText: 'Evicted' }).waitFor();
    expect((await app.get('/languages')).verdict).toBe('MISS');
    await page.locator('#evictions li').filter({ hasText: 'this dashboard' }).first().waitFor();
  });

  it('finds entries by path and tag, shows headers and age of one, and evicts it', async () => {
    await app.get('/books?page=2');
    const { page } = await show('entries');
    await page.getByLabel('Search by path, query, route or tag').fill('page=2');
    await page.getByRole('button', { name: 'Search' }).click();
    await until(page, "document.querySelectorAll('#entries-body tr').length === 1");
    await page.locator('#entries-body button.link').click();
    const sheet = page.locator('#entry');
    await sheet.locator('dl.headers').waitFor();
    expect(await sheet.innerText()).toMatch(/Age[\s\S]+ETag/);
    await sheet.getByRole('button', { name: 'Evict…' }).click();
    await page.locator('#confirm').getByRole('button', { name: 'Evict' }).click();
    await page.locator('#toast').filter({ hasText: 'Evicted' }).waitFor();
    expect((await app.get('/books?page=2')).verdict).toBe('MISS');
  });

  it('explains a request', async () => {
    await app.get('/books');
    const { page, problems } = await show('explain');
    const explain = async (url: string, headers = ''): Promise<string> => {
      await page.getByLabel('Path and query').fill(url);
      await page.getByLabel('Headers, one a line').fill(headers);
      const answered = page.waitForResponse((response) => response.url().endsWith('/api/explain'));
      await page.locator('#explain').getByRole('button', { name: 'Explain' }).click();
      await answered;
      await until(
        page,
        `document.querySelector('.verdict')?.innerText.includes(${JSON.stringify(url.split('?')[0])})`,
      );
      return page.locator('#explanation').innerText();
    };
    expect(await explain('/books')).toMatch(/Hit[\s\S]+BooksController\.list[\s\S]+Policy/);
    expect(await explain('/books?nocache=1')).toMatch(/Bypass[\s\S]+unless/);
    expect(await explain('/books', 'if-match: "1"')).toMatch(/Bypass[\s\S]+precondition/);
    expect(await explain('/nowhere')).toMatch(/No route/);
    expect(problems).toEqual([]);
  });

  it('is used with the keyboard alone', async () => {
    await app.get('/about');
    const { page } = await show();
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.className')).toBe('skip');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.hash')).toBe('#entries');
    await page.keyboard.press('Enter');
    await page.locator('#entries-body tr').first().waitFor();
    await page.locator('#evict-value').focus();
    await page.keyboard.type('book:emma');
    await page.keyboard.press('Enter');
    expect(await page.evaluate("document.getElementById('confirm').open")).toBe(true);
    await page.keyboard.press('Escape');
    expect(await page.evaluate("document.getElementById('confirm').open")).toBe(false);
    expect(await page.evaluate("document.getElementById('evict').contains(document.activeElement)")).toBe(
      true,
    );
  });

  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['dark', 360],
  ] as const)('has no serious fault of accessibility: %s, %i pixels wide', async (colorScheme, width) => {
    const { page } = await show('overview', { colorScheme, viewport: { width, height: 800 } });
    for (const view of VIEWS) {
      await page.evaluate(`location.hash = '#${view}'`);
      await page.locator(`#view-${view}`).waitFor();
      if (view === 'entries') await page.locator('#entries-body tr').first().waitFor();
      if (view === 'explain') {
        await page.getByLabel('Path and query').fill('/books');
        await page.locator('#explain').getByRole('button', { name: 'Explain' }).click();
        await page.locator('.verdict').waitFor();
      }
      expect([view, await seriousViolations(page)]).toEqual([view, []]);
      expect([view, await overflow(page)]).toEqual([view, 0]);
    }
  });

  it('is dark where the system is, and where it is switched', async () => {
    const background = 'getComputedStyle(document.body).backgroundColor';
    const { page } = await show('overview', { colorScheme: 'dark' });
    const dark = await page.evaluate(background);
    await page.getByLabel('Switch between light and dark').click();
    const light = await page.evaluate(background);
    expect(light).not.toBe(dark);
    await page.reload();
    expect(await page.evaluate(background)).toBe(light);
  });

  it('draws its charts in the colours of the theme, each of which is said once', async () => {
    // As the charts read them.
    const theme = "import('/_cache/assets/theme.js')";
    const colors = `${theme}.then(({ color }) => ['hit', 'hit-soft', 'c1'].map(color))`;
    const light = ['rgb(18, 128, 92)', 'rgba(18, 128, 92, 0.15)', 'rgb(79, 70, 229)'];
    const dark = ['rgb(62, 214, 160)', 'rgba(62, 214, 160, 0.15)', 'rgb(139, 140, 248)'];
    const { page } = await show('overview', { colorScheme: 'light' });
    const drawn = (): Promise<unknown> => page.evaluate(colors);
    expect(await drawn()).toEqual(light);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await drawn()).toEqual(dark);
    await page.getByLabel('Switch between light and dark').click();
    expect(await drawn()).toEqual(light);
    await page.emulateMedia({ colorScheme: 'light' });
    await page.getByLabel('Switch between light and dark').click();
    expect(await drawn()).toEqual(dark);
  });
});
