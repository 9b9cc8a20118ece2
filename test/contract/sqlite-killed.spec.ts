import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { StampPosition } from '../../libs/caching/src/cache/stamps.js';
import { poll } from '../support/redis/poll.js';
import { SqliteStorage } from '../support/sqlite/storage.js';
import { tierHost } from '../support/tier-host.js';

interface Acknowledged {
  readonly epoch: string;
  readonly n: number;
  readonly i: number;
  readonly name: string;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Inside of node_modules, as what is bundled there finds the packages that it doesn't bundle. */
const FOLDER = join(ROOT, 'node_modules/.cache/nestjs-caching-sqlite');

beforeAll(async () => {
  await build({
    root: ROOT,
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: join(ROOT, 'test/support/sqlite/killed-life.ts'),
      outDir: FOLDER,
      emptyOutDir: false,
      target: 'node20',
      rollupOptions: { output: { entryFileNames: 'killed-life.mjs' } },
    },
  });
});

/** Runs until `count` evictions were acknowledged, kills it, and tells all that it had said so of. */
async function killAfter(file: string, name: string, count: number): Promise<Acknowledged[]> {
  const child = spawn(process.execPath, [join(FOLDER, 'killed-life.mjs'), file, name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  const acknowledged: Acknowledged[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(JSON.parse(line) as Acknowledged);
    if (acknowledged.length === count) child.kill('SIGKILL');
  }
  const [, signal] = (await gone) as [number | null, string | null];
  if (signal !== 'SIGKILL') throw new Error('the process ended before it was killed');
  return acknowledged;
}

function openTier(storage: SqliteStorage) {
  const tier = storage.connect();
  const heard: { position: StampPosition; tags: readonly string[] | undefined }[] = [];
  const failures: string[] = [];
  onTestFinished(() => tier.close());
  tier.open(
    tierHost('books', {
      longestLife: () => 3_600_000,
      onEviction: (position, tags) => heard.push({ position, tags }),
      onError: (operation, error) => failures.push(`${operation}: ${String(error)}`),
    }),
  );
  return { tier, heard, failures };
}

describe('sqlite() of two processes that are killed', () => {
  it('loses no acknowledged eviction and no entry, gives each a place of its own, and a third hears of all', async () => {
    const storage = new SqliteStorage();
    onTestFinished(() => storage.close());
    const watcher = openTier(storage);
    await watcher.tier.sync(undefined);
    const known = await watcher.tier.evict([]);
    const lives: Acknowledged[] = [];
    for (const count of [1, 40, 200]) {
      const [one, two] = await Promise.all([
        killAfter(storage.file, `one ${count}`, count),
        killAfter(storage.file, `two ${count}`, count + 1),
      ]);
      lives.push(...one, ...two);
    }
    expect(new Set(lives.map(({ epoch }) => epoch))).toEqual(new Set([known.epoch]));
    expect(new Set(lives.map(({ n }) => n)).size).toBe(lives.length);

    const { tier } = openTier(storage);
    const { position, stamps } = await tier.sync(undefined);
    const places = new Map(stamps);
    for (const { name, i, n } of lives) expect(places.get(`${name}:${i}`), `${name}:${i}`).toBe(n);
    for (const name of new Set(lives.map((each) => each.name)))
      expect((await tier.lookup(`key of ${name}`)).frame?.toString()).toBe(`frame of ${name}`);

    await poll('all to be heard', async () => watcher.heard.at(-1)?.position.n === position.n || undefined);
    expect(watcher.heard.map((each) => each.position.n)).toEqual(
      Array.from({ length: position.n - known.n + 1 }, (_, at) => known.n + at),
    );
    const told = new Map(
      watcher.heard.flatMap(({ position: { n }, tags }) => (tags ?? []).map((tag) => [tag, n])),
    );
    for (const { name, i, n } of lives) expect(told.get(`${name}:${i}`)).toBe(n);
    expect(watcher.failures).toEqual([]);
  }, 60_000);
});
