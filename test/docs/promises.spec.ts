import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPage } from '../support/markdown.js';
import { titlesOf } from '../support/spec-titles.js';
import { ROOT } from '../support/typescript-sources.js';

const PAGE = 'docs/promises.md';

/** How many rows each family of ids has at least; within a family nothing is left out. */
const FAMILIES: Readonly<Record<string, number>> = { I: 10, '2.': 15, '2.S': 7, '3.': 10, '3.S': 6 };

interface Promised {
  readonly id: string;
  readonly promise: string;
  readonly shownBy: string;
}

function rows(): Promised[] {
  return readPage(PAGE).flatMap((line) => {
    const [, id, promise, shownBy] = line
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replaceAll('\\|', '|'));
    const isRow = id !== undefined && promise !== undefined && shownBy !== undefined && !/^(id|-+)$/.test(id);
    return isRow ? [{ id, promise, shownBy }] : [];
  });
}

const { scripts } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

/** What is wrong with a reference: `test/x.spec.ts › a title`, npm commands, or a script of the repository. */
function problem(reference: string): string | undefined {
  if (reference.startsWith('test/')) return problemOfTest(reference);
  const missing = reference.split(' && ').filter((command) => !isCommand(command));
  return missing.length === 0 ? undefined : `neither a test nor a command: ${missing.join(', ')}`;
}

function problemOfTest(reference: string): string | undefined {
  const [spec = '', ...titles] = reference.split(' › ');
  if (!existsSync(path.join(ROOT, spec))) return `no such spec: ${spec}`;
  if (titles.length === 0) return `names no test of ${spec}`;
  const ends = titlesOf(spec).some((chain) =>
    titles.every((title, at) => chain.at(at - titles.length) === title),
  );
  return ends ? undefined : `no such test that runs in ${spec}: ${titles.join(' › ')}`;
}

function isCommand(command: string): boolean {
  if (command.startsWith('.')) return existsSync(path.join(ROOT, command));
  const [, builtIn, script] = /^npm (?:(ci)|(?:run )?([\w:-]+))(?: -- .+)?$/.exec(command) ?? [];
  return builtIn !== undefined || (script !== undefined && Object.hasOwn(scripts, script));
}

describe('docs/promises.md', () => {
  const promised = rows();

  it('names every numbered item and every invariant once', () => {
    const ids = promised.map(({ id }) => id);
    const expected = Object.entries(FAMILIES).flatMap(([family, count]) =>
      Array.from({ length: count }, (_, at) => `${family}${at + 1}`),
    );
    expect(ids).toEqual([...new Set(ids)]);
    expect(ids).toEqual(expect.arrayContaining(expected));
  });

  it.each(promised)('$id is shown by tests and commands that exist', ({ promise, shownBy }) => {
    expect(promise).not.toBe('');
    const references = [...shownBy.matchAll(/`([^`]+)`/g)].map(([, reference = '']) => reference);
    expect(references, 'nothing shows it').not.toEqual([]);
    expect(references.map(problem).filter((found) => found !== undefined)).toEqual([]);
  });
});
