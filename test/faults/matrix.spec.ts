import { afterAll, describe, expect, it } from 'vitest';
import { FaultGroups } from '../support/faults/group-faults.js';
import { type Cell, type CellOptions, measureCell } from '../support/faults/matrix-cell.js';
import { keepTables } from '../support/faults/matrix-page.js';
import { memoryTableOf, problemsOf, tableOf } from '../support/faults/matrix-table.js';
import { NO_FAULT, SINGLE_FAULTS } from '../support/faults/single-faults.js';
import type { Fault, Major } from '../support/faults/stage.js';

/** Which faults: a few by default, `all`, or those whose name contains this text. */
const WANTED = process.env['FAULTS'];

/** With the load of a test, memory that is kept for each request shows after this time. Milliseconds. */
const OUTAGE_SHOWS = 3_000;
const FAULT_LASTS = 2_000;
const OUTAGE_LASTS = 60_000;
const CELL_TIMEOUT = OUTAGE_LASTS + 60_000;

const SHORT: readonly (readonly [name: string, major: Major, milliseconds: number])[] = [
  ['killed and restarted', 5, 1_200],
  ['stopped', 5, OUTAGE_SHOWS],
  ['TCP held', 5, 1_200],
  ['garbage reply', 5, 1_200],
  ['killed and restarted', 4, 1_200],
  ['cluster master killed', 5, 1_200],
];

const groups = new FaultGroups();
const faults = [...SINGLE_FAULTS, ...groups.faults];

function faultOf(name: string): Fault {
  const fault = faults.find((each) => each.name === name);
  if (fault === undefined) throw new Error(`no fault is called ${name}`);
  return fault;
}

/** node-redis 4 has no client for sentinels. */
function majorsOf({ topology }: Fault): readonly Major[] {
  return topology === 'sentinel' ? [5, 6] : [4, 5, 6];
}

function cellOf(fault: Fault, major: Major, milliseconds: number, memory: boolean): CellOptions {
  return { fault, major, milliseconds, memory, platform: major === 6 ? 'express' : 'fastify' };
}

const matrix: readonly CellOptions[] =
  WANTED === undefined
    ? SHORT.map(([name, major, milliseconds]) =>
        cellOf(faultOf(name), major, milliseconds, milliseconds >= OUTAGE_SHOWS),
      )
    : faults
        .filter(({ name }) => WANTED === 'all' || name.includes(WANTED))
        .flatMap((fault) => majorsOf(fault).map((major) => cellOf(fault, major, FAULT_LASTS, false)));

const outages: readonly CellOptions[] =
  WANTED === 'all'
    ? [NO_FAULT, faultOf('killed and restarted'), faultOf('stopped')].flatMap((fault) =>
        majorsOf(fault).map((major) => cellOf(fault, major, OUTAGE_LASTS, true)),
      )
    : [];

const cells = [...matrix, ...outages].map((options) => {
  const { fault, major, milliseconds } = options;
  const lasting = milliseconds === OUTAGE_LASTS ? ' for a minute' : '';
  return [`${fault.name}${lasting}, by node-redis ${major}`, options] as const;
});

describe('an application under load notices no more than misses', () => {
  const measured: Cell[] = [];

  afterAll(async () => {
    await groups.close();
    const outaged = measured.filter(({ memory }) => memory !== undefined);
    const tables = [tableOf(measured), ...(outaged.length > 0 ? [memoryTableOf(outaged)] : [])];
    process.stdout.write(`\n${tables.join('\n\n')}\n\n`);
    if (WANTED === 'all') await keepTables(tables);
  });

  it.each(cells)('%s', { timeout: CELL_TIMEOUT }, async (_title, options) => {
    const cell = await measureCell(options);
    measured.push(cell);
    expect(problemsOf(cell)).toEqual([]);
    // A load of hits and misses, or it shows nothing.
    expect(cell.hits).toBeGreaterThan(0);
    expect(cell.hits).toBeLessThan(cell.answered);
  });
});
