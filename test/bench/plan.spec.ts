import { describe, expect, it } from 'vitest';
import { type Plan, readPlan } from '../../bench/arguments.js';
import { neighboursOf } from '../../bench/generation.js';
import type { Limit } from '../../bench/limits.js';

function groups(plan: Plan, generation = 1): string[] {
  return neighboursOf(plan, generation).map(
    ({ rows, platform, size }) => `${platform}/${size}: ${rows.map(({ name }) => name).join(' ')}`,
  );
}

/** Limits whose two rows do not stand beside each other in a plan, which nothing could decide. */
function undecided(plan: Plan, limits: readonly Limit[]): Limit[] {
  const all = neighboursOf(plan, 1);
  return limits.filter(
    ({ row, over, platform, size }) =>
      !all.some(
        (each) =>
          each.platform === platform &&
          each.size === size &&
          [row, over].every((wanted) => each.rows.some(({ name }) => name === wanted)),
      ),
  );
}

describe('what the benchmark measures', () => {
  it.each([{ given: [] }, { given: ['--redis'] }])(
    'has the rows of each limit beside each other, with $given',
    (each) => {
      const full = readPlan(each.given);
      const short = readPlan([...each.given, '--short']);
      expect(full.suite.limits.length).toBeGreaterThan(5);
      expect(undecided(full, full.suite.limits)).toEqual([]);
      expect(undecided(short, short.suite.shortLimits)).toEqual([]);
    },
  );

  it('has several processes of each server in the full form, and one in the short one', () => {
    expect(readPlan([])).toMatchObject({ processes: 5, rounds: 3 });
    expect(readPlan(['--redis'])).toMatchObject({ processes: 3, rounds: 3 });
    expect(readPlan(['--short'])).toMatchObject({ processes: 1, rounds: 3, sizes: [10] });
    expect(readPlan(['--only', 'hit'])).toMatchObject({ processes: 5, form: 'part' });
  });

  it('takes other numbers of processes and rounds, and whole ones only', () => {
    expect(readPlan(['--processes', '7', '--rounds', '2'])).toMatchObject({ processes: 7, rounds: 2 });
    for (const option of ['--processes', '--rounds']) {
      for (const text of ['0', '-1', '1.5', 'many']) {
        expect(() => readPlan([`${option}=${text}`])).toThrow(`${option} ${text}: a`);
      }
    }
  });

  it('lets hits, metrics and misses stand apart from each other', () => {
    expect(groups(readPlan(['--only', '/fastify/10']))).toEqual([
      'fastify/10: node string marker cache-interceptor hit hit-debug hit-context',
      'fastify/10: hit-metrics hit-metrics-off hit-telemetry hit-telemetry-off',
      'fastify/10: pass-through miss miss-debug miss-context',
    ]);
  });

  it('measures at one size what decides nothing at the others, unless it is asked for by name', () => {
    expect(groups(readPlan(['--only', '/express/100']))).toEqual([
      'express/100: node string marker cache-interceptor hit',
      'express/100: pass-through miss',
    ]);
    expect(groups(readPlan(['--only', 'hit-debug+miss-context/express/100']))).toEqual([
      'express/100: hit-debug',
      'express/100: miss-context',
    ]);
  });

  it('begins every other generation with the other end', () => {
    const plan = readPlan(['--only', 'hit+marker+miss/fastify/10']);
    expect(groups(plan, 1)).toEqual(['fastify/10: marker hit', 'fastify/10: miss']);
    expect(groups(plan, 2)).toEqual(['fastify/10: hit marker', 'fastify/10: miss']);
  });

  it('puts another build beside the rows that it is compared with', () => {
    expect(groups(readPlan(['--only', 'hit+miss+other-hit+other-miss/fastify/1', '--against', 'x']))).toEqual(
      ['fastify/1: hit other-hit', 'fastify/1: miss other-miss'],
    );
    expect(() => readPlan(['--only', 'other-hit'])).toThrow('There is no row "other-hit"');
  });
});
