import { Controller, Get, Header, Res } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { PLATFORMS } from '../support/application.js';
import { openPage, type OpenPage, startBrowser } from '../support/browser/browser.js';
import { type DashboardApp, startDashboard } from '../support/dashboard/dashboard-app.js';
import { getLine, sendBytes } from '../support/raw-socket.js';

/** Markup that marks the page it gets into, as text and as an attribute. */
const MARKUP = [
  `<img src=x onerror="document.title='owned'" class="owned">`,
  `</script><script>document.title='owned'</script>`,
  `"><svg class=owned onload=document.title='owned'>`,
  `'-(document.title='owned')-'`,
  `<!--<a class=owned href="javascript:document.title='owned'">x</a>-->`,
  `{{token}}`,
];

@Controller('evil')
class EvilController {
  @Get('tags/:name')
  @Header('X-Own', MARKUP[0] as string)
  @Header('Link', '<javascript:document.title=1>; rel=canonical')
  @CacheView({ tags: MARKUP })
  tagged() {
    return { text: MARKUP };
  }

  @Get('failing')
  @CacheView({
    tags: () => {
      throw new Error(MARKUP[0]);
    },
  })
  failing() {
    return {};
  }

  @Get('page') @CacheView({ tags: MARKUP }) page(@Res() reply: { header(n: string, v: string): never }) {
    (reply.header('Content-Type', 'text/html') as unknown as { send(b: string): void }).send(
      '<link rel="icon" href="data:," /><title>own</title>',
    );
  }
}

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser?.close());

describe.each(PLATFORMS)('texts of strangers on %s', (platform) => {
  let running: DashboardApp;
  beforeAll(async () => {
    running = await startDashboard(
      platform,
      { toolbar: true, debugHeaders: true },
      { controllers: [EvilController] },
    );
    for (const markup of MARKUP) {
      const host = [`Host: 127.0.0.1:${running.port}`];
      await sendBytes(running.port, getLine(`/evil/tags/x?a=${markup.replaceAll(' ', '/')}`, host));
      await running.request(`/evil/tags/${encodeURIComponent(markup)}?${encodeURIComponent(markup)}`);
    }
    await running.request('/evil/failing');
    await running.change('evict', { by: 'tag', value: MARKUP[1] });
    await running.request('/evil/tags/again');
  });
  afterAll(() => running.close());

  const show = async (path: string): Promise<OpenPage> => {
    const open = await openPage(browser, `http://127.0.0.1:${running.port}${path}`);
    onTestFinished(() => open.close());
    open.page.on('dialog', (dialog) => {
      open.problems.push(dialog.message());
      void dialog.dismiss();
    });
    return open;
  };

  const expectUnharmed = async ({ page, problems }: OpenPage): Promise<void> => {
    expect(await page.locator('.owned, [onerror], [onload], a[href^="javascript:"]').count()).toBe(0);
    expect(await page.title()).not.toContain('owned');
    // What the policy of the page keeps from running would be one, too.
    expect(problems).toEqual([]);
  };

  it('are texts among the entries, in an entry and in the evictions', async () => {
    const open = await show('/_cache#entries');
    const { page } = open;
    const rows = page.locator('#entries-body tr');
    await rows.first().waitFor();
    expect(await page.locator('#evictions').innerText()).toContain(MARKUP[1]);
    expect(await rows.first().innerText()).toContain(MARKUP[0]);
    await rows.first().locator('button.link').click();
    await page.locator('#entry[open]').waitFor();
    expect(await page.locator('#entry-body').innerText()).toContain(MARKUP[0]);
    await expectUnharmed(open);
  });

  it('are texts in an explanation, also where they come with an error', async () => {
    const open = await show('/_cache#explain');
    const { page } = open;
    for (const url of ['/evil/tags/again', '/evil/failing', `/${MARKUP[0]}`]) {
      await page.locator('#explain-url').fill(url);
      await page.locator('#explain').getByRole('button').click();
      await page.locator('#explanation .verdict').waitFor();
      const text = page.locator('#explanation');
      await expect.poll(() => text.innerText()).toContain(MARKUP[0]);
      await expectUnharmed(open);
    }
  });

  it('are texts in the badge of a page', async () => {
    const target = `/evil/page?${encodeURIComponent(MARKUP[0] as string)}`;
    await running.request(target);
    const open = await show(target);
    const { page } = open;
    const bar = page.locator('nestjs-caching-toolbar');
    await bar.getByRole('button').click();
    expect(await bar.getByRole('region').innerText()).toContain(MARKUP[0]);
    expect(await bar.locator('.owned, [onerror], [onload]').count()).toBe(0);
    await expectUnharmed(open);
  });
});
