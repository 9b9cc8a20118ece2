import { Controller, Get } from '@nestjs/common';
import { CacheView, memory } from 'nestjs-caching';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { FakeClock } from '../support/fake-clock.js';
import { eventually, Gate, turns } from '../support/gate.js';

const TIMEOUT = 5_000;

describe.each(PLATFORMS)('a renewal that waits for another instance on %s', (platform) => {
  let running: RunningApplication;
  let runs: number;
  /** Another instance has the right to fill. */
  let isTheirs: boolean;
  let refused: number;
  let gate: Gate | undefined;
  let pass: (ms: number) => void;

  @Controller('views')
  @CacheView({ ttl: '10s', coalesce: 'cluster' })
  class ViewsController {
    @Get('swr') @CacheView({ staleWhileRevalidate: '1h' }) async swr() {
      const run = ++runs;
      await gate?.pass();
      return { run };
    }

    @Get('soft') @CacheView({ staleIfError: '1h', softTimeout: '1m' }) soft() {
      return { run: ++runs };
    }
  }

  beforeEach(async () => {
    runs = 0;
    isTheirs = false;
    refused = 0;
    gate = undefined;
    // The store's, beside the application's.
    const clock = new FakeClock();
    const store = Object.assign(memory({ clock }), {
      lease: () => (isTheirs ? (refused++, 'theirs' as const) : ('ours' as const)),
      release: () => undefined,
    });
    running = await startApplication(platform, {
      controllers: [ViewsController],
      caching: { store, coalesceTimeout: TIMEOUT },
    });
    pass = (ms) => {
      clock.advance(ms);
      running.clock.advance(ms);
    };
    onTestFinished(() => running.close());
  });

  const outcomes = () => running.events.flatMap((event) => (event.type === 'refresh' ? [event.outcome] : []));
  /** Its time runs from before it has come as far as that. */
  const untilGivenUp = async (): Promise<void> => {
    await eventually(() => refused > 0 || runs === 2, 'it waits, or the handler runs');
    for (let waited = 0; waited <= TIMEOUT; waited += 250) {
      await turns();
      pass(250);
    }
    await eventually(() => outcomes().length === 2, 'it is given up');
  };

  it('past its deadline is no failure of the handler: the next one is tried at once', async () => {
    await running.request('/views/swr');
    pass(10_000);
    isTheirs = true;
    expect((await running.request('/views/swr')).verdict).toBe('STALE');
    await untilGivenUp();
    expect(outcomes()).toEqual(['started', 'dropped']);
    expect(runs).toBe(1);
    isTheirs = false;
    expect((await running.request('/views/swr')).verdict).toBe('STALE');
    await eventually(() => runs === 2, 'the handler runs here');
    await eventually(() => outcomes().at(-1) === 'stored', 'it is renewed');
  });

  it('has who waits for it answered with what is stale, as where the handler is late', async () => {
    await running.request('/views/soft');
    pass(10_000);
    isTheirs = true;
    const asked = running.request('/views/soft');
    await untilGivenUp();
    expect((await asked).cacheStatus).toContain('detail=soft-timeout');
    expect(runs).toBe(1);
  });

  it('is one where the handler has begun here: the next one is not tried at once', async () => {
    await running.request('/views/swr');
    pass(10_000);
    gate = new Gate();
    expect((await running.request('/views/swr')).verdict).toBe('STALE');
    await untilGivenUp();
    expect(outcomes()).toEqual(['started', 'failed']);
    expect(runs).toBe(2);
    expect((await running.request('/views/swr')).verdict).toBe('STALE');
    await turns(20);
    expect([outcomes().length, runs]).toEqual([2, 2]);
    gate.open();
  });
});
