import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { writeSnippets } from '../support/snippets.js';
import { ROOT } from '../support/typescript-sources.js';

// Inside the repository, as modules are resolved from where a file lies.
const folder = mkdtempSync(path.join(ROOT, 'test/docs/.testing-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const specs = writeSnippets(['docs/testing.md'], folder).filter(({ block }) =>
  /^import \{.*\bit\b.*\} from 'vitest';$/m.test(block.code),
);

describe('docs/testing.md', () => {
  it('has specs to run', () => {
    expect(specs).toHaveLength(4);
  });

  for (const { file, block } of specs) {
    // oxlint-disable-next-line vitest/valid-describe-callback -- what is imported declares its tests
    describe(`line ${block.line}`, async () => {
      await import(/* @vite-ignore */ pathToFileURL(file).href);
    });
  }
});
