import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { afterAll, expect, it } from 'vitest';
import { typeErrors } from '../support/snippets.js';
import { descendants, parse, ROOT } from '../support/typescript-sources.js';

const SOURCE = 'libs/caching/src/http/key-coverage.ts';
const folder = mkdtempSync(path.join(ROOT, 'test/docs/.snippets-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The callbacks in what warnings tell authors to add to their `@CacheView`. */
const printed = [...descendants(parse(SOURCE))]
  .filter(ts.isStringLiteralLike)
  .map(({ text }) => text)
  .filter((text) => text.includes('=>'));

it('callbacks that warnings print compile where they are pasted', { timeout: 120_000 }, () => {
  expect(printed).toHaveLength(4);
  const file = path.join(folder, 'printed.ts');
  const uses = printed.map(
    (text) => `CacheView({ ${text.startsWith('custom') ? 'key' : 'scope'}: ${text} });\n`,
  );
  writeFileSync(
    file,
    `import { CacheView, custom, type RequestView } from 'nestjs-caching';\n${uses.join('')}`,
  );
  const block = { page: SOURCE, line: 1, language: 'ts', code: '' };
  expect(typeErrors([{ block, file, runs: false }])).toEqual([]);
});
