import { beforeEach, describe, expect, it } from 'vitest';
import { SharedLog } from '../../libs/caching/src/cache/shared-log.js';
import { PendingEvictions } from '../../libs/caching/src/stores/pending-evictions.js';
import { UnconfirmedEvictionError } from '../../libs/caching/src/caching.errors.js';
import { FakeClock } from '../../libs/caching/src/testing.js';
import { Gate } from '../support/gate.js';
import { ManualTier } from '../support/manual-tier.js';

const EVERYTHING = '*';
const HEARTBEAT = 500;
/** What may wait, as `docs/redis.md` says. */
const MOST = 10_000;

let clock: FakeClock;
let tier: ManualTier;
let log: SharedLog;
let pending: PendingEvictions;

beforeEach(() => {
  clock = new FakeClock();
  tier = new ManualTier();
  log = new SharedLog(clock, EVERYTHING);
  log.catchUp({ position: tier.at, floor: 0, stamps: [] });
  pending = new PendingEvictions({
    tier,
    log,
    clock,
    heartbeat: HEARTBEAT,
    everything: EVERYTHING,
    onAcknowledged: (position, tags) => log.acknowledge(position, tags),
  });
});

const refuse = (): never => {
  throw new Error('away');
};

async function fail(count: number, first = 0): Promise<void> {
  tier.before = refuse;
  for (let at = first; at < first + count; at++) await pending.evict([`t:${at}`]).catch(() => undefined);
}

/** Whether an entry of now with this tag may be taken from the tier; each carries the tag of everything. */
const isCurrent = (tag: string) => log.isCurrent(log.position as never, [tag, EVERYTHING]);

const evictions = () => tier.calls.filter((call) => call.startsWith('evict'));

describe('evictions that wait', () => {
  it('keep what they concern from being taken until they are acknowledged', async () => {
    await fail(2);
    expect([isCurrent('t:0'), isCurrent('t:1'), isCurrent('t:2')]).toEqual([false, false, true]);
    tier.before = () => undefined;
    await pending.replay();
    expect(evictions().at(-1)).toBe('evict 2');
    expect([isCurrent('t:0'), isCurrent('t:1'), pending.size]).toEqual([true, true, 0]);
  });

  it('become one of everything where they are many, and stay it whatever comes after', async () => {
    await fail(MOST);
    expect([pending.size, isCurrent('other')]).toEqual([MOST, true]);
    await fail(2 * MOST, MOST);
    expect([pending.size, isCurrent('other')]).toEqual([1, false]);
    tier.before = () => undefined;
    await pending.replay();
    expect(evictions().at(-1)).toBe('evict 1');
    expect([pending.size, isCurrent('other'), isCurrent('t:5')]).toEqual([0, true, true]);
  });

  it('are never sent in a larger batch, even when many fail while they are done again', async () => {
    await fail(MOST);
    const gate = new Gate();
    tier.before = async () => {
      await gate.pass();
      refuse();
    };
    const replaying = pending.replay().catch(() => undefined);
    const failing = Array.from({ length: MOST }, (_, at) =>
      pending.evict([`u:${at}`]).catch(() => undefined),
    );
    gate.open();
    await Promise.all([replaying, ...failing]);
    tier.before = () => undefined;
    tier.calls.length = 0;
    while (pending.size > 0) await pending.replay();
    expect(tier.calls).toEqual(['evict 1']);
    expect(isCurrent('t:5')).toBe(true);
  });

  it('let nothing be taken while everything is done again', async () => {
    await fail(MOST + 1);
    const gate = new Gate();
    tier.before = () => gate.pass();
    const replaying = pending.replay();
    expect(isCurrent('other')).toBe(false);
    gate.open();
    await replaying;
    expect(isCurrent('other')).toBe(true);
  });
});

describe('evictions that were executed and may be lost', () => {
  let isSafe: boolean;
  let asked: number;

  beforeEach(() => {
    isSafe = false;
    asked = 0;
    tier.after = (operation) => {
      if (operation.startsWith('evict')) throw new UnconfirmedEvictionError(tier.at, new Error('no replica'));
    };
    tier.confirm = async () => {
      asked++;
      if (!isSafe) throw new Error('no replica');
    };
  });

  it('are not done again, but asked about, less and less often', async () => {
    await expect(pending.evict(['t:1'])).rejects.toThrow('was executed, but may be lost: no replica');
    for (let beats = 0; beats < 64; beats++) {
      await pending.replay().catch(() => undefined);
      clock.advance(HEARTBEAT);
    }
    expect(evictions()).toEqual(['evict 1']);
    // At once and after 1, 3, 7, 15, 31, 47 and 63 heartbeats.
    expect(asked).toBe(8);
    expect(isCurrent('t:1')).toBe(false);
  });

  it('are acknowledged together when it is known that they are safe', async () => {
    for (const tag of ['t:1', 't:2', 't:1'])
      await expect(pending.evict([tag])).rejects.toThrow(UnconfirmedEvictionError);
    isSafe = true;
    // What they are told of by messages.
    for (const [tag, n] of tier.stamps) log.hear({ epoch: 'e', n }, [tag]);
    await pending.replay();
    expect([asked, pending.size, isCurrent('t:1'), isCurrent('t:2')]).toEqual([1, 0, true, true]);
  });
});

describe('evictions that were acknowledged before what came before them is known', () => {
  const acknowledge = (n: number, tags: readonly string[]): void => {
    log.hold(tags);
    log.acknowledge({ ...tier.at, n: tier.at.n + 1 + n }, tags);
  };

  it('become one of everything where they are many, until all of it is known', () => {
    for (let n = 1; n <= MOST; n++) acknowledge(n, [`t:${n}`]);
    expect([isCurrent('t:1'), isCurrent('other')]).toEqual([false, true]);
    acknowledge(MOST + 1, ['t:last']);
    expect([isCurrent('t:1'), isCurrent('other')]).toEqual([false, false]);
    acknowledge(MOST + 2, ['t:after']);
    const states = [1, 2, 3].map((n) => {
      log.catchUp({ position: { ...tier.at, n: tier.at.n + MOST + n }, floor: 0, stamps: [] });
      return [isCurrent('other'), isCurrent('t:1'), isCurrent('t:after')];
    });
    expect(states).toEqual([
      [false, false, false],
      [true, true, false],
      [true, true, true],
    ]);
  });
});
