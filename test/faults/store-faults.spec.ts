import { Body, Controller, Get, Post } from '@nestjs/common';
import { CacheEvict, CacheEvictionService, CacheStoreError, CacheView, jsonBody } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Platform,
  PLATFORMS,
  type RunningApplication,
  startApplication,
} from '../support/application.js';
import { ChaosStore, type Fault, type StoreOperation } from '../../libs/caching/src/testing.js';
import { eventually, Gate, turns } from '../support/gate.js';

const TIMEOUT = 100;
/** What a client waits for at the most. Generous, as two cores are shared; a fault that is waited for takes forever. */
const SLOWEST = 5_000;

interface Stage {
  readonly running: RunningApplication;
  readonly store: ChaosStore;
  readonly evictions: CacheEvictionService;
  /** Handlers of `view` wait here. */
  readonly hold: Gate;
  runs: number;
}

async function setStage(platform: Platform): Promise<Stage> {
  const store = new ChaosStore();
  const hold = new Gate();
  hold.open();
  const stage = { store, hold, runs: 0 } as { -readonly [K in keyof Stage]: Stage[K] };
  @Controller()
  class Views {
    @Get('view') @CacheView({ tags: ['data'] }) async view() {
      const run = ++stage.runs;
      await stage.hold.pass();
      return { run };
    }
    @Post('search') @CacheView({ key: jsonBody() }) search(@Body() _query: object) {
      return { run: ++stage.runs };
    }
    @Post('write') @CacheEvict('data') write() {
      return { written: true };
    }
  }
  stage.running = await startApplication(platform, {
    controllers: [Views],
    caching: { store, storeTimeout: TIMEOUT },
  });
  store.clock = stage.running.clock;
  stage.evictions = stage.running.app.get(CacheEvictionService);
  return stage;
}

const FAULTS: readonly Fault[] = ['throw', 'reject', 'hang'];

describe.each(PLATFORMS)('a store that fails, on %s', (platform) => {
  let stage: Stage;
  let ticking: NodeJS.Timeout;

  beforeEach(async () => {
    stage = await setStage(platform);
    // The time that requests wait for the store is the injected clock's: here it runs at its own speed.
    ticking = setInterval(() => stage.running.clock.advance(10), 1);
  });

  afterEach(async () => {
    clearInterval(ticking);
    await stage.running.close();
  });

  const failures = (): unknown[] =>
    stage.running.events.flatMap((event) => (event.type === 'storeError' ? [event.operation] : []));

  it.each(FAULTS)('is a miss, and never an error, where everything ends like this: %s', async (fault) => {
    const { running, store } = stage;
    store.fail(fault);
    for (let n = 1; n <= 3; n++) {
      const reply = await running.request('/view');
      expect([reply.status, reply.text, reply.verdict]).toEqual([200, `{"run":${n}}`, 'MISS']);
    }
    expect((await running.request('/search', { method: 'POST', body: { q: 1 } })).status).toBe(201);
    store.fail(undefined);
    await running.request('/view');
    expect((await running.request('/view')).verdict).toBe('HIT');
  });

  it.each(FAULTS)('tells of each failure once, with a CacheStoreError: %s', async (fault) => {
    const { running, store } = stage;
    store.faults.lookup = fault;
    await running.request('/view');
    await turns();
    expect(failures()).toEqual(['lookup']);
    delete store.faults.lookup;
    store.faults.set = fault;
    await running.request('/search', { method: 'POST', body: {} });
    await eventually(() => failures().length === 2, 'the failure of the set is told');
    expect(failures()).toEqual(['lookup', 'set']);
    const errors = running.events.flatMap((event) => (event.type === 'storeError' ? [event.error] : []));
    expect(errors.every((error) => error instanceof CacheStoreError)).toBe(true);
    expect(running.events).toContainEqual(
      expect.objectContaining({
        type: 'storeError',
        error: expect.objectContaining({ code: 'CACHING_STORE' }) as unknown,
      }),
    );
  });

  it.each(FAULTS)('does not fail a write that @CacheEvict follows: %s', async (fault) => {
    const { running, store } = stage;
    store.faults.evict = fault;
    const reply = await running.request('/write', { method: 'POST' });
    expect([reply.status, reply.text]).toEqual([201, '{"written":true}']);
    expect(failures()).toEqual(['evict']);
  });

  it.each(FAULTS)('fails an eviction that code asked for, and says which: %s', async (fault) => {
    const { running, store, evictions } = stage;
    store.faults.evict = fault;
    for (const evict of [
      () => evictions.byTag('data'),
      () => evictions.byPath('/view'),
      () => evictions.all(),
    ]) {
      const error: unknown = await evict().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(CacheStoreError);
      expect(error).toMatchObject({
        code: 'CACHING_STORE',
        operation: 'evict',
        cause: expect.any(Error) as unknown,
      });
    }
    expect(failures()).toEqual(['evict', 'evict', 'evict']);
    delete store.faults.evict;
    await running.request('/view');
    expect((await evictions.byTag('data')).stamp).toBeGreaterThan(0);
    expect((await running.request('/view')).verdict).toBe('MISS');
  });

  it('that hangs is not waited for after the reply: storing is off its path', async () => {
    const { running, store } = stage;
    clearInterval(ticking);
    store.faults.set = 'hang';
    store.faults.delete = 'hang';
    const before = performance.now();
    expect((await running.request('/view')).status).toBe(200);
    expect(performance.now() - before).toBeLessThan(SLOWEST);
    expect(store.calls).toContain('set');
  });

  it.each(FAULTS)('leaves those who wait for one handler with that one: %s', async (fault) => {
    const { running, store } = stage;
    store.fail(fault);
    Object.assign(stage, { hold: new Gate() });
    const replying = Array.from({ length: 20 }, () => running.request('/view'));
    await eventually(
      () => running.events.filter(({ type }) => type === 'miss').length === 20,
      'all have missed',
    );
    stage.hold.open();
    const replies = await Promise.all(replying);
    expect(new Set(replies.map(({ status, text }) => `${status} ${text}`))).toEqual(
      new Set(['200 {"run":1}']),
    );
  });
});

describe.each(PLATFORMS)('a store that is slow, on %s', (platform) => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await setStage(platform);
  });
  afterEach(() => stage.running.close());

  it('takes of a request `storeTimeout` and no more, all its questions together', async () => {
    const { running, store } = stage;
    store.faults.lookup = 'hang';
    let arrived = false;
    const replying = running.request('/view').then((reply) => {
      arrived = true;
      return reply;
    });
    await eventually(() => store.calls.length > 0, 'the question');
    running.clock.advance(TIMEOUT - 1);
    await turns(50);
    expect(arrived).toBe(false);
    running.clock.advance(1);
    expect((await replying).status).toBe(200);
    expect(store.calls.filter((call) => call === 'lookup')).toHaveLength(1);
    // What is stored afterwards is given up as well, and told.
    running.clock.advance(TIMEOUT);
    await turns();
    expect(running.clock.pending).toBe(0);
  });

  it('whose answer comes too late is not heard: neither is it sent nor does it fail anything', async () => {
    const { running, store } = stage;
    await running.request('/view');
    await turns();
    expect((await running.request('/view')).verdict).toBe('HIT');
    const late = new Gate();
    store.faults.lookup = { late };
    const replying = running.request('/view');
    await eventually(() => late.arrived === 1, 'the question');
    running.clock.advance(TIMEOUT);
    expect((await replying).text).toBe('{"run":2}');
    late.open();
    await turns(10);
    expect(running.logger.errors).toEqual([]);
    delete store.faults.lookup;
    expect((await running.request('/view')).text).toBe('{"run":2}');
  });

  it('that stores after the eviction was acknowledged stores nothing that is served', async () => {
    const { running, store, evictions } = stage;
    const original = store.set;
    const late = new Gate();
    store.set = async (entry) => {
      await late.pass();
      return original(entry);
    };
    await running.request('/view');
    await eventually(() => late.arrived === 1, 'the entry is on its way');
    await evictions.byTag('data');
    late.open();
    await turns(10);
    expect((await running.request('/view')).text).toBe('{"run":2}');
  });

  it.each<StoreOperation>(['lookup', 'evict'])(
    'that rejects after its deadline fails nobody: %s',
    async (operation) => {
      const { running, store, evictions } = stage;
      const late = new Gate();
      store[operation] = async () => {
        await late.pass();
        throw new Error('long after');
      };
      const asked =
        operation === 'lookup' ? running.request('/view') : evictions.all().catch((error: unknown) => error);
      await eventually(() => late.arrived === 1, 'the question');
      running.clock.advance(TIMEOUT);
      expect(await asked).toMatchObject(operation === 'evict' ? { code: 'CACHING_STORE' } : { status: 200 });
      late.open();
      await turns(10);
      expect(running.events.filter(({ type }) => type === 'storeError')).toHaveLength(1);
    },
  );
});
