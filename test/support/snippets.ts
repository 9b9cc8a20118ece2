import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as common from '@nestjs/common';
import ts from 'typescript';
import { type CodeBlock, codeBlocks } from './markdown.js';
import { descendants, parse, ROOT } from './typescript-sources.js';

/**
 * How a `ts` block of the documentation is read:
 *
 * - It is one module of its own, checked against the library's sources with the repository's compiler options.
 * - A first line `// books.controller.ts` names its file; other blocks of the same page can import it by that name.
 * - What it uses of `nestjs-caching` and `@nestjs/common` and does not import is imported for it, so that pages
 *   need not repeat what readers know. Anything else is imported or declared in the block.
 * - Members of a class may stand alone (`@Get() @CacheView() list() {}`).
 * - A block that exports a class `AppModule` is also run, on Express and Fastify, as it stands: it imports all that
 *   it uses and does not listen (put `bootstrap` into a block of its own). Comment lines say what requests get, in
 *   order: `// GET /books: MISS, then HIT`.
 */
export interface Snippet {
  readonly block: CodeBlock;
  readonly file: string;
  readonly runs: boolean;
}

/** Writes every `ts` block of these pages into `folder`, each page in a folder of its own. */
export function writeSnippets(pages: readonly string[], folder: string): Snippet[] {
  const taken = new Set<string>();
  const library = exportsOfLibrary();
  return pages.flatMap(codeBlocks).flatMap((block): Snippet[] => {
    if (block.language !== 'ts' && block.language !== 'typescript') return [];
    const page = path.join(folder, block.page.replaceAll(/[^\w]/g, '-'));
    const named = path.join(page, /^\/\/ ([\w./-]+\.ts)\n/.exec(block.code)?.[1] ?? `line-${block.line}.ts`);
    const file = taken.has(named) ? path.join(page, `line-${block.line}.ts`) : named;
    taken.add(file);
    const runs = /^export class AppModule\b/m.test(block.code);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, runs ? block.code : completed(block.code, library));
    return [{ block, file, runs }];
  });
}

/** Only ever adds to the first line's start and after the last line, so that line numbers stay the page's. */
function completed(code: string, library: ReadonlySet<string>): string {
  const whole = hasSyntaxErrors(code) ? `class Fragment {${code}\n}` : code;
  const source = ts.createSourceFile('snippet.ts', whole, ts.ScriptTarget.Latest, true);
  const own = new Set(source.statements.flatMap((statement) => [...namesOf(statement)]));
  const used = new Set([...descendants(source)].filter(ts.isIdentifier).map(({ text }) => text));
  const missing = (exported: Iterable<string>) =>
    [...exported].filter((name) => used.has(name) && !own.has(name));
  const fromLibrary = missing(library);
  const fromNest = missing(Object.keys(common)).filter((name) => !library.has(name));
  return `${whole}\nimport { ${fromLibrary.join(', ')} } from 'nestjs-caching'; import { ${fromNest.join(', ')} } from '@nestjs/common';\n`;
}

function hasSyntaxErrors(code: string): boolean {
  const { diagnostics } = ts.transpileModule(code, {
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      experimentalDecorators: true,
    },
  });
  return diagnostics !== undefined && diagnostics.length > 0;
}

function* namesOf(statement: ts.Statement): Generator<string> {
  if (ts.isImportDeclaration(statement) || ts.isVariableStatement(statement)) {
    for (const node of descendants(statement)) if (ts.isIdentifier(node)) yield node.text;
  } else if (ts.isClassDeclaration(statement) || ts.isFunctionDeclaration(statement)) {
    if (statement.name) yield statement.name.text;
  } else if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) {
    yield statement.name.text;
  }
}

function exportsOfLibrary(): ReadonlySet<string> {
  const source = parse('libs/caching/src/index.ts');
  return new Set([...descendants(source)].filter(ts.isExportSpecifier).map(({ name }) => name.text));
}

/** The compiler's complaints about the snippets, by page and line. */
export function typeErrors(snippets: readonly Snippet[]): string[] {
  const config = ts.getParsedCommandLineOfConfigFile(
    path.join(ROOT, 'tsconfig.json'),
    { noUnusedLocals: false, noUnusedParameters: false },
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: (found) => {
        throw new Error(text(found));
      },
    },
  );
  if (config === undefined) throw new Error('tsconfig.json can not be read');
  const program = ts.createProgram(
    snippets.map(({ file }) => file),
    config.options,
  );
  return snippets.flatMap(({ block, file }) => {
    const source = program.getSourceFile(file);
    if (source === undefined) throw new Error(`The compiler did not read ${file}`);
    return ts.getPreEmitDiagnostics(program, source).map((found) => {
      const line = block.line + source.getLineAndCharacterOfPosition(found.start ?? 0).line;
      return `${block.page}:${line} ${text(found)}`;
    });
  });
}

function text(found: ts.Diagnostic): string {
  return ts.flattenDiagnosticMessageText(found.messageText, '\n');
}

export interface ExpectedVerdicts {
  readonly method: string;
  readonly path: string;
  readonly verdicts: readonly string[];
}

/** The lines `// GET /books: MISS, then HIT` of a block. */
export function expectedVerdicts(code: string): ExpectedVerdicts[] {
  return [
    ...code.matchAll(/^\/\/ ([A-Z]+) (\/\S*): ((?:MISS|HIT|BYPASS)(?:, then (?:MISS|HIT|BYPASS))*)/gm),
  ].map(([, method = '', target = '', verdicts = '']) => ({
    method,
    path: target,
    verdicts: verdicts.split(', then '),
  }));
}
