import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { titlesOf } from './spec-titles.js';
import { ROOT } from './typescript-sources.js';

const { scripts } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

/** The cells of a row of a table. */
export function cellsOf(line: string): string[] {
  return line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
}

/** What is wrong with a reference: `test/x.spec.ts › a title`, npm commands, or a script of the repository. */
export function problemOf(reference: string): string | undefined {
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
