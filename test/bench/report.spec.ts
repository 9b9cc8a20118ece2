import { describe, expect, it } from 'vitest';
import type { Measurement } from '../../bench/cell.js';
import type { Limit } from '../../bench/limits.js';
import { Report } from '../../bench/report.js';
import { type RowName, ROWS } from '../../bench/rows.js';
import { HTTP } from '../../bench/suites.js';

/** One process of a row: microseconds of each round. */
function measured(name: RowName, cpu: readonly number[], problem?: string): Measurement {
  const row = ROWS.find((each) => each.name === name);
  if (row === undefined) throw new Error(`There is no row ${name}.`);
  const samples = cpu.map((each) => ({ cpu: each, perSecond: 1e6 / each }));
  return { row, platform: 'fastify', size: 10, samples, problem };
}

function report(...measurements: readonly Measurement[]): Report {
  return new Report(measurements, HTTP.columns);
}

const BARE: Limit = {
  row: 'hit',
  over: 'marker',
  platform: 'fastify',
  size: 10,
  atLeast: 0.85,
  why: 'close to the bare interceptor',
};

/** Three processes each: the ratios are 1, 0.8 and 0.9. */
const THREE = [
  measured('hit', [20, 20, 90]),
  measured('marker', [20, 20, 90]),
  measured('hit', [25, 25, 25]),
  measured('marker', [20, 20, 20]),
  measured('hit', [20, 20, 20]),
  measured('marker', [18, 18, 18]),
];

describe('the report of the benchmark', () => {
  it('decides a limit on the median over the processes, and says how far these differ', () => {
    const { lines, held } = report(...THREE).check([BARE]);
    expect(held).toBe(true);
    expect(lines).toEqual([
      'holds  fastify, 10 KB: close to the bare interceptor: 0.90 (0.80–1.00, at least 0.85)',
    ]);
  });

  it('misses a limit that the median process is below, though the best is above', () => {
    const { lines, held } = report(...THREE).check([{ ...BARE, atLeast: 0.95 }]);
    expect(held).toBe(false);
    expect(lines[0]).toMatch(/^MISSED .*0\.90 \(0\.80–1\.00, at least 0\.95\)$/);
  });

  it('does not hold a limit that was not measured', () => {
    const { lines, held } = report(measured('hit', [20])).check([BARE]);
    expect(held).toBe(false);
    expect(lines[0]).toMatch(/^MISSED .*not measured/);
  });

  it('has one line a row, of all its processes, and what they differ by in per cent', () => {
    const table = report(...THREE).tables.split('\n');
    expect(table.filter((line) => line.startsWith('| nestjs-caching, hit '))).toHaveLength(1);
    const hit = table.find((line) => line.startsWith('| nestjs-caching, hit ')) ?? '';
    const cells = hit.split('|').map((cell) => cell.trim());
    // Medians of the processes are 20, 25 and 20: half the way between is 12.5 % of 20.
    expect(cells.slice(2, 5)).toEqual(['20.0', '13', '50000']);
    expect(cells.at(-2)).toBe('0.90 (0.80–1.00)');
  });

  it('makes no ratio of a row that did not do what it says in one of its processes', () => {
    const broken = report(...THREE, measured('hit', [20], '3 errors'), measured('marker', [20]));
    expect(broken.problems).toEqual(['hit/fastify/10: 3 errors']);
    expect(broken.check([BARE]).held).toBe(false);
    expect(broken.tables).toMatch(/\| nestjs-caching, hit +\| +- \| +- \| +- \|/);
  });

  it('makes no ratio of rows whose servers did not stand beside each other', () => {
    const across = { ...BARE, row: 'miss' } as const;
    const { lines } = report(measured('miss', [20]), measured('marker', [20])).check([across]);
    expect(lines[0]).toMatch(/^MISSED .*not measured/);
  });

  it('says what an option adds to the cost of a request', () => {
    const prices = report(measured('miss-debug', [22]), measured('miss', [20])).prices;
    expect(prices).toEqual(['debugHeaders makes a miss cost 10.0 % more CPU (fastify, 10 KB).']);
  });
});
