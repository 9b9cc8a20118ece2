import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { filesIn, ROOT } from './typescript-sources.js';

/** Every page that a reader of the repository is sent to. */
export function pages(): string[] {
  const single = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'bench/README.md'];
  return [
    ...single.filter((page) => existsSync(path.join(ROOT, page))),
    ...filesIn('docs', '.md'),
    ...filesIn('apps', '.md'),
  ];
}

export function readPage(page: string): string[] {
  return readFileSync(path.join(ROOT, page), 'utf8').split(/\r?\n/);
}

export interface CodeBlock {
  readonly page: string;
  /** Of its first line of code, counted from 1. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
}

/** The fenced code blocks of a page. A fence that is never closed is an error: what follows would be unchecked. */
export function codeBlocks(page: string): CodeBlock[] {
  const found: CodeBlock[] = [];
  let open: { fence: string; indent: number; language: string; line: number; code: string[] } | undefined;
  for (const [at, text] of readPage(page).entries()) {
    const fence = /^( *)(`{3,}|~{3,})\s*(\S*)/.exec(text);
    if (open === undefined) {
      if (fence === null) continue;
      const [, indent = '', mark = '', language = ''] = fence;
      open = { fence: mark, indent: indent.length, language, line: at + 2, code: [] };
    } else if (fence?.[2]?.startsWith(open.fence) && fence[3] === '') {
      found.push({ page, line: open.line, language: open.language, code: open.code.join('\n') });
      open = undefined;
    } else {
      open.code.push(text.slice(Math.min(open.indent, text.length - text.trimStart().length)));
    }
  }
  if (open !== undefined) throw new Error(`${page}:${open.line - 1}: this code block is never closed`);
  return found;
}

/** A page's lines with the code blocks blanked, so that what looks like a link in code is none. */
function prose(page: string): string[] {
  const lines = readPage(page);
  for (const { line, code } of codeBlocks(page)) {
    const length = code === '' ? 0 : code.split('\n').length;
    lines.fill('', line - 1, line - 1 + length);
  }
  return lines;
}

export interface Link {
  readonly line: number;
  readonly target: string;
}

export function links(page: string): Link[] {
  return prose(page).flatMap((text, at) =>
    [
      ...text.replace(/`[^`]*`/g, '').matchAll(/\]\(<?([^\s)>]+)>?(?:\s+"[^"]*")?\)|^\[[^\]]+\]:\s*(\S+)/g),
    ].map((match) => ({
      line: at + 1,
      target: match[1] ?? match[2] ?? '',
    })),
  );
}

/** The anchors of a page's headings, made as GitHub makes them. */
export function anchors(page: string): Set<string> {
  const found = new Set<string>();
  for (const text of prose(page)) {
    const heading = /^#{1,6} +(.*?)(?: +#+)?$/.exec(text)?.[1];
    if (heading === undefined) continue;
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-');
    let unique = slug;
    for (let n = 1; found.has(unique); n += 1) unique = `${slug}-${n}`;
    found.add(unique);
  }
  return found;
}
