import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesIn, importsOf, type ModuleReference, parse } from '../support/typescript-sources.js';

/**
 * What the files of a folder may import, as module names or as paths from the library's `src`. Cycles are the
 * linter's (`import/no-cycle`).
 */
interface Layer {
  readonly folder: string;
  /** Which of them. Default: all, those of its folders included. */
  readonly files?: RegExp;
  readonly may: RegExp;
  /** Also allowed where only types are taken: nothing of it is loaded. */
  readonly mayAsTypes?: RegExp;
}

const LIBRARY = 'libs/caching/src';

const LAYERS: readonly Layer[] = [
  {
    folder: `${LIBRARY}/cache`,
    may: /^(cache\/.*|stores\/store|observe\/(events|request-trace)|caching\.errors|duration|recent-map|devalue|lru-cache|node:(?!https?$|http2$|net$|tls$).*)$/,
  },
  {
    folder: `${LIBRARY}/stores`,
    files: /\/stores\/[^/]+$/,
    may: /^(stores\/[^/]+|cache\/(clock|entry|entry-codec|entry-facts|known-heads|shared-log|soft|stamps|variants|maybe-promise)|caching\.errors|lru-cache|node:(?!https?$|http2$|net$|tls$).*)$/,
  },
  {
    folder: `${LIBRARY}/stores/keyv`,
    may: /^(stores\/(keyv\/[^/]+|shared-tier|digest|kind-of)|cache\/(clock|shared-log|stamps)|caching\.errors|check-names|keyv|node:crypto)$/,
  },
  {
    folder: `${LIBRARY}/stores/redis`,
    may: /^(stores\/(redis\/[^/]+|shared-tier|digest|kind-of)|cache\/(clock|shared-log|stamps)|caching\.errors|check-names|recent-map|@redis\/client|cluster-key-slot|node:(crypto|module|net|tls))$/,
  },
  {
    folder: `${LIBRARY}/stores/sqlite`,
    may: /^(stores\/(sqlite\/[^/]+|shared-tier|digest|kind-of)|cache\/(clock|shared-log|stamps)|caching\.errors|check-names|node:(crypto|fs|module|path))$/,
  },
  {
    folder: `${LIBRARY}/testing`,
    may: /^(testing\/.*|stores\/memory\.store|http\/route-tags|observe\/events|caching\.options|cache\/(clock|entry|soft)|node:(assert\/strict|crypto|timers\/promises))$/,
    mayAsTypes:
      /^(node:http|node:net|stores\/(store|shared-tier)|observe\/cache-event|cache\/(maybe-promise|shared-log|stamps))$/,
  },
  {
    folder: `${LIBRARY}/http`,
    may: /^(http\/.*|cache\/(bypass|clock|entry|entry-facts|maybe-promise|soft)|observe\/events|[\w.-]+|@nestjs\/.*|node:.*)$/,
    mayAsTypes: /^(cache\/.*|observe\/(request-trace|cache-event|tracing))$/,
  },
  {
    folder: `${LIBRARY}/memoize`,
    may: /^(memoize\/.*|cache\/(bypass|copy-shape|held-value|value-gate|value-kinds|plain-object|entry|maybe-promise)|http\/(flat-text|key-strategy|route-tags|tag-options)|recent-map|caching\.errors|check-names|duration|reflect-metadata|@nestjs\/common|node:(crypto|util\/types))$/,
    mayAsTypes: /^(cache\/.*|caching\.options|observe\/(events|request-trace)|@nestjs\/core)$/,
  },
  {
    folder: `${LIBRARY}/observe/dashboard`,
    may: /^(observe\/.*|caching\.[\w.]+|check-names|decorators|recent-map|http\/(request-view|semantics\/host)|@nestjs\/.*|node:.*)$/,
    mayAsTypes: /^(cache-(eviction|inspector)\.service|cache\/(clock|entry-facts)|http\/.*)$/,
  },
  {
    folder: `${LIBRARY}/values`,
    may: /^(values\/.*|cache\/(held-value|value-gate|entry|stamps)|memoize\/call-server|http\/route-tags|caching\.errors|duration|node:zlib)$/,
    mayAsTypes: /^(cache\/.*|memoize\/call|observe\/events|stores\/(store|shared-tier))$/,
  },
  {
    folder: `${LIBRARY}/observe`,
    files: /\/observe\/[^/]+$/,
    may: /^(observe\/.*|cache\/(reasons|clock|entry)|caching\.[\w.]+|duration|cache-health|prom-client|@opentelemetry\/api|@nestjs\/.*|rxjs|node:.*)$/,
    mayAsTypes: /^(cache\/entry|stores\/tier-observer)$/,
  },
  { folder: 'apps', may: /^(?!nestjs-caching\/|.*\blibs\/)/ },
];

/** Who may import the files of `observe/` beside its events, and the door for users. */
const COMPOSITION = [
  'caching.dashboard',
  'caching.module',
  'caching.runtime',
  'caching.store',
  'index',
  'open-telemetry',
  'prometheus',
  'terminus',
].map((name) => `${LIBRARY}/${name}.ts`);

function target(file: string, { specifier }: ModuleReference): string {
  if (!specifier.startsWith('.')) return specifier;
  const resolved = path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, '');
  return file.startsWith(`${LIBRARY}/`) ? path.posix.relative(LIBRARY, resolved) : resolved;
}

function forbidden(file: string, { may, mayAsTypes }: Pick<Layer, 'may' | 'mayAsTypes'>): string[] {
  return importsOf(parse(file))
    .filter((reference) => {
      const name = target(file, reference);
      return !may.test(name) && !(reference.typeOnly && mayAsTypes?.test(name));
    })
    .map((reference) => `${file} imports ${reference.specifier}`);
}

describe('layers', () => {
  it.each(LAYERS)('$folder imports only what its layer allows', ({ folder, files, ...allowed }) => {
    const covered = filesIn(folder, '.ts').filter((file) => files?.test(file) ?? true);
    expect(covered).not.toEqual([]);
    expect(covered.flatMap((file) => forbidden(file, allowed))).toEqual([]);
  });

  it('nothing of the library imports observe/ but its events, or the door for users', () => {
    const others = filesIn(LIBRARY, '.ts').filter(
      (file) => !COMPOSITION.includes(file) && !file.startsWith(`${LIBRARY}/observe/`),
    );
    const allowed = {
      may: /^(?!observe\/(?!(events|cache-event|request-trace|instruments|tracing)$)|index$)/,
    };
    expect(others.length).toBeGreaterThan(10);
    expect(others.flatMap((file) => forbidden(file, allowed))).toEqual([]);
  });
});
