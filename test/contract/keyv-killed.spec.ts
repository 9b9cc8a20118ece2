import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSqlite } from '../support/keyv/backends.js';
import { openTier } from '../support/keyv/tier.js';

interface Acknowledged {
  readonly epoch: string;
  readonly n: number;
  readonly i: number;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Inside of node_modules, as what is bundled there finds the packages that it doesn't bundle. */
const FOLDER = join(ROOT, 'node_modules/.cache/nestjs-caching-keyv');

describe('keyv() on a file', () => {
  let backend: Awaited<ReturnType<typeof startSqlite>>;

  beforeAll(async () => {
    await build({
      root: ROOT,
      configFile: false,
      logLevel: 'error',
      build: {
        ssr: join(ROOT, 'test/support/keyv/killed-life.ts'),
        outDir: FOLDER,
        emptyOutDir: false,
        target: 'node20',
        rollupOptions: { output: { entryFileNames: 'killed-life.mjs' } },
      },
    });
    backend = await startSqlite();
  });

  afterAll(() => backend.close());

  /** Runs until `count` evictions were acknowledged, kills it, and tells the last one that it had said so of. */
  async function killAfter(count: number): Promise<Acknowledged> {
    const child = spawn(process.execPath, [join(FOLDER, 'killed-life.mjs'), backend.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const gone = once(child, 'exit');
    let last: Acknowledged | undefined;
    for await (const line of createInterface({ input: child.stdout })) {
      last = JSON.parse(line) as Acknowledged;
      if (last.i + 1 === count) child.kill('SIGKILL');
    }
    const [, signal] = (await gone) as [number | null, string | null];
    if (last === undefined || signal !== 'SIGKILL') throw new Error('the process ended before it was killed');
    return last;
  }

  it('loses no acknowledged eviction and no entry to SIGKILL, in several lives', async () => {
    let epoch: string | undefined;
    for (const count of [1, 7, 150, 400]) {
      const last = await killAfter(count);
      expect(epoch ?? last.epoch).toBe(last.epoch);
      ({ epoch } = last);
      const { tier } = openTier(backend.connect(), 'books');
      const position = await tier.position();
      expect(position.epoch).toBe(epoch);
      expect(position.n).toBeGreaterThanOrEqual(last.n);
      expect((await tier.lookup('key')).frame?.toString()).toBe('frame');
      const known = new Map((await tier.sync(undefined)).stamps);
      for (let i = 0; i <= last.i; i++) {
        const n = known.get(`tag:${i}:${'x'.repeat(100)}`);
        expect(n, `tag ${i}`).toBeGreaterThanOrEqual(last.n - last.i + i);
      }
      await tier.close();
    }
  });
});
