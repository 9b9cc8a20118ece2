import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BooksApp } from '../books/support/books-app.js';
import { PLATFORMS } from '../support/application.js';
import { openPage, seriousViolations, startBrowser } from '../support/browser/browser.js';

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser?.close());

describe.each(PLATFORMS)('the toolbar on a page of the books API on %s', (platform) => {
  let app: BooksApp;
  beforeAll(async () => {
    app = await BooksApp.start(platform, { dashboard: true });
  });
  afterAll(() => app.close());

  it('shows what the cache did for that page, also where the browser had it already', async () => {
    const open = await openPage(browser, `${app.url}/about`);
    const { page, origins } = open;
    const badge = page.locator('nestjs-caching-toolbar').getByRole('button');
    const panel = page.locator('nestjs-caching-toolbar').getByRole('region');
    await badge.waitFor();
    expect(await badge.textContent()).toMatch(/Cache: Miss/);
    await page.goto(`${app.url}/about`);
    await badge.waitFor();
    expect(await badge.textContent()).toMatch(/Cache: Hit/);
    await badge.focus();
    await page.keyboard.press('Enter');
    expect(await panel.innerText()).toMatch(/Route[\s\S]+PagesController\.about[\s\S]+Age[\s\S]+Key/);
    expect(await seriousViolations(page)).toEqual([]);
    await panel.getByRole('link', { name: 'Open the dashboard' }).click();
    await page.locator('#connection[data-state="live"]').waitFor();
    expect([...origins]).toEqual([app.url]);
    await open.close();
  });
});
