import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { INestApplication, Type } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { pages } from '../support/markdown.js';
import { expectedVerdicts, type Snippet, typeErrors, writeSnippets } from '../support/snippets.js';
import { ROOT } from '../support/typescript-sources.js';

// Inside the repository, as modules are resolved from where a file lies.
const folder = mkdtempSync(path.join(ROOT, 'test/docs/.snippets-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const snippets = writeSnippets(pages(), folder);
const runnable = snippets.filter(({ runs }) => runs);
const PLATFORMS = [
  { platform: 'Express', adapter: () => new ExpressAdapter() },
  { platform: 'Fastify', adapter: () => new FastifyAdapter() },
];

async function start({ file }: Snippet, adapter: ExpressAdapter | FastifyAdapter): Promise<INestApplication> {
  const loaded = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as { AppModule: Type };
  const testing = await Test.createTestingModule({ imports: [loaded.AppModule] }).compile();
  const app = testing.createNestApplication(adapter, { logger: ['error', 'warn'] });
  onTestFinished(() => app.close());
  await app.listen(0, '127.0.0.1');
  return app;
}

describe('code of the documentation', () => {
  it('type-checks against the library', { timeout: 120_000 }, () => {
    expect(snippets.length).toBeGreaterThan(0);
    expect(typeErrors(snippets)).toEqual([]);
  });

  it('has at least one application that runs', () => {
    expect(runnable.length).toBeGreaterThan(0);
  });

  describe.each(PLATFORMS)('on $platform', ({ adapter }) => {
    it.each(runnable)('$block.page:$block.line starts and answers as it says', async (snippet) => {
      const expected = expectedVerdicts(snippet.block.code);
      expect(expected, 'a line such as "// GET /books: MISS, then HIT"').not.toEqual([]);
      const base = await (await start(snippet, adapter())).getUrl();
      for (const { method, path: target, verdicts } of expected) {
        for (const verdict of verdicts) {
          const response = await fetch(base + target, { method });
          await response.arrayBuffer();
          expect({ target, ok: response.ok, verdict: response.headers.get('x-cache') }).toEqual({
            target,
            ok: true,
            verdict,
          });
        }
      }
    });
  });
});
