import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  compile,
  type Consumer,
  declarationErrors,
  install,
  packLibrary,
  start,
  type Tarball,
} from '../support/consumer.js';

const COMMON = { 'reflect-metadata': '0.2.2', rxjs: '7.8.2', keyv: '5.6.0', '@types/node': '20.19.43' };

const CONSUMERS = [
  {
    name: 'ESM, Nest 12, Express',
    type: 'module',
    main: 'main-express',
    dependencies: {
      ...COMMON,
      '@nestjs/common': '12.5.1',
      '@nestjs/core': '12.5.1',
      '@nestjs/platform-express': '12.5.1',
      '@nestjs/cache-manager': '12.0.0',
      'cache-manager': '7.2.9',
      typescript: '6.0.3',
    },
  },
  {
    name: 'CommonJS, Nest 11, Fastify',
    type: 'commonjs',
    main: 'main-fastify',
    dependencies: {
      ...COMMON,
      '@nestjs/common': '11.2.10',
      '@nestjs/core': '11.2.10',
      '@nestjs/platform-fastify': '11.2.8',
      '@nestjs/cache-manager': '3.1.3',
      'cache-manager': '6.4.3',
      typescript: '5.9.3',
    },
  },
] as const;

let folder: string;
let tarball: Tarball;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'nestjs-caching-'));
  tarball = await packLibrary(folder);
}, 180_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the packed library', () => {
  it('holds what users need and nothing of the repository', () => {
    const page = /^dist\/observe\/dashboard\/page\/[\w-]+\.(css|html|svg)$/;
    const code = /^dist\/(?!.*\.spec\.)[\w./-]+\.(js|d\.ts)$/;
    const other = tarball.contents.filter((file) => !code.test(file) && !page.test(file));
    expect(other.sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']);
    expect(tarball.contents).toEqual(expect.arrayContaining(['dist/index.js', 'dist/index.d.ts']));
  });

  it('names the types of each entry for a resolution that knows no exports, such as that of module: commonjs', async () => {
    const file = new URL('../../libs/caching/package.json', import.meta.url);
    const { exports, typesVersions } = JSON.parse(await readFile(file, 'utf8')) as {
      exports: Record<string, string | { types: string }>;
      typesVersions: Record<string, Record<string, string[]>>;
    };
    const entries = Object.entries(exports).flatMap(([name, target]) =>
      typeof target === 'string' || name === '.' ? [] : [[name.slice(2), [target.types]] as const],
    );
    expect(entries.map(([name]) => name)).toContain('testing');
    expect(typesVersions).toEqual({ '*': Object.fromEntries(entries) });
    for (const [, [types]] of entries) expect(tarball.contents).toContain(types?.slice(2));
  });

  describe.each(CONSUMERS)('installed: $name', (settings) => {
    let consumer: Consumer;

    beforeAll(async () => {
      consumer = { ...settings, folder: path.join(folder, settings.type) };
      await install(consumer, tarball.file);
    }, 300_000);

    it('compiles', { timeout: 120_000 }, async () => {
      await compile(consumer);
      if (settings.type === 'commonjs') {
        await compile(consumer, '--module', 'commonjs', '--moduleResolution', 'node10', '--noEmit');
      }
      expect(await declarationErrors(consumer)).toEqual([]);
    });

    it('answers with a miss, then hits, and fresh data after an eviction', { timeout: 60_000 }, async () => {
      const { url, stop } = await start(consumer);
      onTestFinished(stop);
      const get = async (target: string, method = 'GET'): Promise<[string | null, string]> => {
        const response = await fetch(url + target, { method });
        return [response.headers.get('x-cache'), await response.text()];
      };
      expect(await get('/books')).toEqual(['MISS', '["Emma"]']);
      expect(await get('/books')).toEqual(['HIT', '["Emma"]']);
      expect((await get('/books', 'POST'))[1]).toBe('{"added":2}');
      expect(await get('/books')).toEqual(['MISS', '["Emma","Persuasion"]']);
      expect(await get('/books')).toEqual(['HIT', '["Emma","Persuasion"]']);
      await get('/books/refresh', 'POST');
      expect((await get('/books'))[0]).toBe('MISS');
    });
  });
});
