import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Controller, Get } from '@nestjs/common';
import { CacheEvictionService, CacheStoreError, CacheView, sqlite } from 'nestjs-caching';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { store } from '../support/redis/applications.js';
import { poll } from '../support/redis/poll.js';
import { SqliteStorage } from '../support/sqlite/storage.js';

/** As whom the tests run where they are started by root, for whom nothing is read-only. */
const NOBODY = 65_534;

@Controller('books')
class BooksController {
  @Get() @CacheView({ tags: ['books'] }) list() {
    return ['Ulysses'];
  }
}

describe.each(PLATFORMS)('sqlite() where nothing may be written, on %s', (platform) => {
  const isRoot = process.getuid?.() === 0;

  // Nobody need not be allowed to read the repository: all that is loaded later is loaded by now.
  beforeAll(async () => {
    const loaded = await startApplication(platform, { controllers: [BooksController] });
    await loaded.close();
  });
  let storage: SqliteStorage;
  let file: string;
  let running: RunningApplication | undefined;

  beforeEach(() => {
    storage = new SqliteStorage();
    file = join(storage.folder, 'var', 'cache.sqlite');
    mkdirSync(dirname(file));
    if (isRoot) for (const each of [storage.folder, dirname(file)]) chownSync(each, NOBODY, NOBODY);
  });
  afterEach(async () => {
    await running?.close();
    if (isRoot) process.seteuid?.(0);
    await storage.close();
  });

  const readOnly: [what: string, take: () => void, give: () => void][] = [
    ['the folder', () => chmodSync(dirname(file), 0o555), () => chmodSync(dirname(file), 0o755)],
    ['the file', () => writeFileSync(file, '', { mode: 0o400 }), () => chmodSync(file, 0o600)],
    [
      'what should be its folder, and is none,',
      () => chmodSync(storage.folder, 0o555),
      () => chmodSync(storage.folder, 0o755),
    ],
  ];

  it.each(readOnly)(
    'starts, answers, says once why nothing is kept, and keeps it once it may: %s is read-only',
    async (what, take, give) => {
      if (what.startsWith('what')) file = join(storage.folder, 'other', 'cache.sqlite');
      // Its driver is loaded now, its file is not opened yet.
      const own = sqlite({ file });
      if (isRoot) process.seteuid?.(NOBODY);
      take();
      running = await startApplication(platform, {
        realTime: true,
        controllers: [BooksController],
        caching: { store: own, memory: false },
      });
      const { app, events, logger } = running;
      const verdict = async () => (await running?.request('/books'))?.verdict;
      const lines = () => [...logger.errors, ...logger.warnings].filter((line) => line.includes(file));
      await poll('a line', async () => {
        expect(await verdict()).toBe('MISS');
        return lines().length > 0 || undefined;
      });
      expect(lines()).toEqual([expect.stringMatching(/permission denied|readonly|unable to open/i)]);
      const failed = events.filter((event) => event.type === 'storeError');
      expect(failed.every(({ error }) => error instanceof CacheStoreError)).toBe(true);
      expect(failed.length).toBeGreaterThan(0);
      const receipt = await app.get(CacheEvictionService).byTag('books');
      expect(receipt.acknowledged).toBe(false);
      give();
      await poll(
        'it to be written',
        async () => (await app.get(CacheEvictionService).byTag('books')).acknowledged || undefined,
      );
      await store(running, '/books');
      expect(await verdict()).toBe('HIT');
      expect(lines()).toHaveLength(1);
    },
  );
});
