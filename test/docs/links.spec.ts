import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { anchors, links, pages } from '../support/markdown.js';
import { ROOT } from '../support/typescript-sources.js';

function problem(page: string, target: string): string | undefined {
  if (/^[a-z]+:/i.test(target)) return undefined;
  const [file = '', anchor] = target.split('#');
  const linked = file === '' ? page : path.posix.join(path.posix.dirname(page), decodeURI(file));
  if (linked.startsWith('../')) return 'leaves the repository';
  if (!existsSync(path.join(ROOT, linked))) return 'no such file';
  if (anchor !== undefined && linked.endsWith('.md') && !anchors(linked).has(anchor))
    return 'no such heading';
  return undefined;
}

describe('links of the documentation', () => {
  it.each(pages())('%s links to files and headings that exist', (page) => {
    const broken = links(page).flatMap(({ line, target }) => {
      const found = problem(page, target);
      return found === undefined ? [] : [`${page}:${line} ${target}: ${found}`];
    });
    expect(broken).toEqual([]);
  });
});
