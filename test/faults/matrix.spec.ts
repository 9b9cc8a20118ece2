import { afterAll, describe, expect, it } from 'vitest';
import { FaultGroups } from '../support/faults/group-faults.js';
import { type Cell, type CellOptions, measureCell } from '../support/faults/matrix-cell.js';
import { keepTables } from '../support/faults/matrix-page.js';
import { memoryTableOf, problemsOf, tableOf } from '../support/faults/matrix-table.js';
import { NO_FAULT, SINGLE_FAULTS } from '../support/faults/single-faults.js';
import type { Fault, Major } from '../support/faults/stage.js';

/** Which faults: a few by default, `all`, or those whose name contains this text. */
const WANTED = process.env['FAULTS'];

const SHORT: readonly (readonly [name: string, major: Major, milliseconds: number])[] = [
  ['killed and restarted', 5, 1_200],
  ['stopped', 5, 3_000],
  ['TCP held', 5, 1_200],
  ['garbage reply', 5, 1_200],
  ['killed and restarted', 4, 1_200],
  ['cluster master killed', 5, 1_200],
];

const FAULT_LASTS = 2_000;
const OUTAGE_LASTS = 60_000;
const CELL_TIMEOUT = 60_000;

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

function withEachClient(fault: Fault, milliseconds: number): CellOptions[] {
  return majorsOf(fault).map((major) => ({ fault, major, milliseconds }));
}

const matrix: readonly CellOptions[] =
  WANTED === undefined
    ? SHORT.map(([name, major, milliseconds]) => ({ fault: faultOf(name), major, milliseconds }))
    : faults
        .filter(({ name }) => WANTED === 'all' || name.includes(WANTED))
        .flatMap((fault) => withEachClient(fault, FAULT_LASTS));

const outages: readonly CellOptions[] =
  WANTED === 'all'
    ? [NO_FAULT, faultOf('killed and restarted'), faultOf('stopped')].flatMap((fault) =>
        withEachClient(fault, OUTAGE_LASTS),
      )
    : [];

const titled = (cells: readonly CellOptions[]) =>
  cells.map((cell) => [`${cell.fault.name}, by node-redis ${cell.major}`, cell] as const);

describe('an application under load notices no more than misses', () => {
  const measured: Cell[] = [];
  const long: Cell[] = [];

  afterAll(async () => {
    await groups.close();
    const tables = [tableOf([...measured, ...long]), memoryTableOf(WANTED === 'all' ? long : measured)];
    process.stdout.write(`\n${tables.join('\n\n')}\n\n`);
    if (WANTED === 'all') await keepTables(tables);
  });

  it.each(titled(matrix))('%s', { timeout: CELL_TIMEOUT }, async (_title, options) => {
    const cell = await measureCell(options);
    measured.push(cell);
    expect(problemsOf(cell)).toEqual([]);
    // A load of hits and misses, or it shows nothing.
    expect(cell.hits).toBeGreaterThan(0);
    expect(cell.hits).toBeLessThan(cell.answered);
  });

  if (outages.length > 0)
    it.each(titled(outages))(
      'for a minute: %s',
      { timeout: CELL_TIMEOUT + OUTAGE_LASTS },
      async (_title, options) => {
        const cell = await measureCell(options);
        long.push(cell);
        expect(problemsOf(cell)).toEqual([]);
      },
    );
});
