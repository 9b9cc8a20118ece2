import { Injectable } from '@nestjs/common';
import { CacheEvictionService, Memoize, memory } from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import { type RunningApplication, startApplication } from '../support/application.js';
import { FakeClock } from '../support/fake-clock.js';
import { Gate, turns } from '../support/gate.js';

interface Query {
  page: number;
}

class Handle {
  constructor(public page: number) {}
}

const world = { runs: [] as number[], gate: undefined as Gate | undefined, late: false, fails: 0 };

async function work(query: Query): Promise<number> {
  const { page } = query;
  world.runs.push(page);
  await world.gate?.pass();
  if (world.fails-- > 0) throw new Error(`no page ${page}`);
  return world.late ? query.page : page;
}

@Injectable()
class Pages {
  @Memoize({ tags: ({ page }: Query) => [`page:${page}`] })
  find(query: Query): Promise<number> {
    return work(query);
  }

  @Memoize({ key: ({ page }: Handle) => page })
  keyed(handle: Handle): Promise<number> {
    return work(handle);
  }
}

@Injectable()
class Tenants {
  tenant = 'a';

  cacheId() {
    return this.tenant;
  }

  @Memoize()
  async name(): Promise<string> {
    return this.tenant;
  }
}

/** Answers each look-up a turn later, as a store elsewhere does. */
function slowStore() {
  const store = memory({ clock: new FakeClock() });
  const lookup = store.lookup.bind(store);
  store.lookup = (key) => Promise.resolve().then(() => lookup(key)) as never;
  return store;
}

describe('arguments that their caller changes after the call', () => {
  let running: RunningApplication;
  const start = async (store = slowStore()) => {
    Object.assign(world, { runs: [], gate: undefined, late: false, fails: 0 });
    running = await startApplication('fastify', { caching: { store }, providers: [Pages, Tenants] });
    return running.app.get(Pages);
  };
  const arrived = async (count: number) => {
    while ((world.gate?.arrived ?? 0) < count) await turns(1);
  };

  afterEach(() => running?.close());

  it('count as they were, where the store answers later', async () => {
    const pages = await start();
    const query = { page: 1 };
    const first = pages.find(query);
    query.page = 2;
    const second = pages.find(query);
    query.page = 3;
    expect([await first, await second]).toEqual([1, 2]);
    expect(await Promise.all([1, 2, 3].map((page) => pages.find({ page })))).toEqual([1, 2, 3]);
    expect(world.runs).toEqual([1, 2, 3]);
  });

  it("count as they were, where the call has waited for another's run", async () => {
    const pages = await start(memory({ clock: new FakeClock() }));
    Object.assign(world, { gate: new Gate() });
    const first = pages.find({ page: 1 });
    const query = { page: 1 };
    const waiting = pages.find(query);
    query.page = 2;
    await arrived(1);
    // Its flight loses, so it runs by itself.
    await running.app.get(CacheEvictionService).byTag('page:1');
    const next = pages.find({ page: 1 });
    world.gate?.open();
    expect(await Promise.all([first, waiting, next])).toEqual([1, 1, 1]);
    expect(await pages.find({ page: 1 })).toBe(1);
    expect(world.runs).toEqual([1, 1]);
  });

  it('leave nothing stored where the method reads them late', async () => {
    const pages = await start(memory({ clock: new FakeClock() }));
    Object.assign(world, { gate: new Gate(), late: true });
    const query = { page: 1 };
    const call = pages.find(query);
    const waiting = pages.find({ page: 1 });
    query.page = 2;
    world.gate?.open();
    expect(await call).toBe(2);
    expect(await waiting).toBe(1);
    expect(await pages.find({ page: 1 })).toBe(1);
    expect(world.runs).toEqual([1, 1]);
    const skipped = running.events.filter((event) => event.type === 'skipped');
    expect(skipped.map(({ reason }) => reason)).toEqual(['arguments']);
  });

  it('and the error that came of it are for the caller alone', async () => {
    const pages = await start(memory({ clock: new FakeClock() }));
    Object.assign(world, { gate: new Gate(), fails: 1 });
    const query = { page: 1 };
    const call = pages.find(query);
    const waiting = pages.find({ page: 1 });
    query.page = 2;
    world.gate?.open();
    await expect(call).rejects.toThrow('no page 1');
    expect(await waiting).toBe(1);
  });

  it('keep nothing and concern nobody else where they are no data, of which a copy could be kept', async () => {
    const pages = await start();
    const handle = new Handle(1);
    const call = pages.keyed(handle);
    const other = pages.keyed(new Handle(1));
    handle.page = 2;
    expect([await call, await other]).toEqual([2, 1]);
    expect(await pages.keyed(new Handle(1))).toBe(1);
    expect(world.runs).toEqual([2, 1]);
  });

  it('count with whose they are: an instance that says it is another one by then', async () => {
    await start();
    const tenants = running.app.get(Tenants);
    const call = tenants.name();
    tenants.tenant = 'b';
    expect(await call).toBe('b');
    tenants.tenant = 'a';
    expect(await tenants.name()).toBe('a');
    expect(await tenants.name()).toBe('a');
    expect(running.events.filter(({ type }) => type === 'stored')).toHaveLength(1);
  });

  it('may be anything else that the key does not count', async () => {
    const pages = await start();
    const handle = Object.assign(new Handle(1), { rest: 1 });
    const call = pages.keyed(handle);
    handle.rest = 2;
    expect(await call).toBe(1);
    expect(await pages.keyed(new Handle(1))).toBe(1);
    expect(world.runs).toEqual([1]);
  });
});
