import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPage } from '../support/markdown.js';
import { titlesOf } from '../support/spec-titles.js';
import { ROOT } from '../support/typescript-sources.js';

/** The tests that a row of the tables of `docs/http.md` names, by its field. */
const rows = readPage('docs/http.md').flatMap((line) => {
  const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
  const [, field = '', , section = '', shownBy = ''] = cells;
  return cells.length < 6 || field === 'field' || /^-+$/.test(field) ? [] : [{ field, section, shownBy }];
});

describe('docs/http.md', () => {
  it('has a row for each field that caches have to do with', () => {
    const fields = rows.map(({ field }) => field).join(' ');
    const known = [
      'max-age',
      's-maxage',
      'no-store',
      'private',
      'no-cache',
      'must-revalidate',
      'Expires',
      'Vary',
    ];
    const others = [
      'CDN-Cache-Control',
      'Age',
      'ETag',
      'If-None-Match',
      'If-Range',
      'Range',
      'HEAD',
      'Location',
    ];
    expect([...known, ...others].filter((name) => !fields.includes(name))).toEqual([]);
  });

  it.each(rows)('$field names its section, and tests that exist', ({ section, shownBy }) => {
    expect(section).not.toBe('');
    const references = [...shownBy.matchAll(/`([^`]+)`/g)].map(([, reference = '']) => reference);
    expect(references).not.toEqual([]);
    const missing = references.filter((reference) => {
      const [spec = '', title] = reference.split(' › ');
      return !existsSync(path.join(ROOT, spec)) || !titlesOf(spec).some((chain) => chain.at(-1) === title);
    });
    expect(missing).toEqual([]);
  });
});
