import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { descendants, ROOT } from '../support/typescript-sources.js';

/** Reports of what the package exports; `npm run check:api` says that they are of today. */
const reports = readdirSync(path.join(ROOT, 'etc')).filter((name) => name.endsWith('.api.md'));

/** The declarations of a report that hold an `any`, written or inferred. */
function untyped(report: string): string[] {
  const [, code = ''] = /```ts\n(.*)\n```/s.exec(readFileSync(path.join(ROOT, 'etc', report), 'utf8')) ?? [];
  const source = ts.createSourceFile(report, code, ts.ScriptTarget.Latest, true);
  expect(source.statements.length).toBeGreaterThan(0);
  return [...descendants(source)]
    .filter(({ kind }) => kind === ts.SyntaxKind.AnyKeyword)
    .map(({ parent }) => parent.getText());
}

describe('public types', () => {
  it.each(reports)('of %s have no any', (report) => {
    expect(untyped(report)).toEqual([]);
  });
});
