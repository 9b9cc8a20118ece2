import { describe, expect, it } from 'vitest';
import type { CachingModuleOptions } from 'nestjs-caching';
import { OPTION_VARIABLES } from '../../libs/caching/src/config/environment-options.js';
import { STORE_VARIABLES } from '../../libs/caching/src/config/environment-store.js';
import { OPTION_NAMES } from '../../libs/caching/src/resolve-options.js';
import { readPage } from '../support/markdown.js';

/** Options that are no text, number or flag: only code says them. */
const CODE_ONLY: readonly (keyof CachingModuleOptions)[] = [
  'key',
  'scope',
  'statuses',
  'filter',
  'unless',
  'refresh',
  'principal',
  'downstream',
  'store',
  'metrics',
  'tracing',
];

const rows = readPage('docs/configuration.md').flatMap((line) => {
  const [, variable = '', option = ''] = /^\| `CACHE_(\w+)` +\| (?:`([\w.]+)`)?/.exec(line) ?? [];
  return variable === '' ? [] : [{ variable, option }];
});

describe('docs/configuration.md', () => {
  it('lists every variable that is read, once, and no other', () => {
    expect(rows.map(({ variable }) => variable).sort()).toEqual(
      [...OPTION_VARIABLES, ...STORE_VARIABLES].sort(),
    );
  });

  it('has a variable for every option that a text can say', () => {
    const said = new Set(rows.map(({ option }) => option.split('.')[0]));
    const missing = OPTION_NAMES.filter((name) => !said.has(name) && !CODE_ONLY.includes(name));
    expect(missing).toEqual([]);
  });
});
