import { parseArgs } from 'node:util';
import type { Size } from './bodies.js';
import { type Platform, PLATFORMS, type Row } from './rows.js';
import { HTTP, REDIS, type Suite } from './suites.js';

export const USAGE = `npm run bench -- [options]

  --redis              hits with Redis, which it starts: what bench:redis does
  --short              10 KB, a few short rounds: that every row works, and that hits beat CacheInterceptor
  --only <r/p/s>       rows, platforms and sizes, e.g. hit+marker/fastify/10, miss, //100
                       rows: ${namesOf(HTTP)}
                       with --redis: ${namesOf(REDIS)}
  --processes <n>      how many of each server, one after the other
  --rounds <n>         how often each of these is measured
  --seconds <n>        about how long one measurement takes
  --against <file>     measures hits and misses of another build of the library as well: its dist/index.js
  --profile <folder>   leaves a CPU profile of each server there
`;

export interface Plan {
  readonly suite: Suite;
  /** Of a size. */
  readonly rows: (size: Size) => readonly Row[];
  readonly platforms: readonly Platform[];
  readonly sizes: readonly Size[];
  /** How many processes of each server, one after the other. */
  readonly processes: number;
  /** How often each of these is measured. */
  readonly rounds: number;
  readonly seconds: { readonly warmUp: number; readonly run: number };
  /** Which limits count: those of the full form, of the short one, or none when only a part is measured. */
  readonly form: 'full' | 'short' | 'part';
  readonly against: string | undefined;
  readonly profile: string | undefined;
}

/** @throws Error that says which argument is wrong */
export function readPlan(parameters: readonly string[]): Plan {
  const { values } = parseArgs({
    args: [...parameters],
    options: {
      redis: { type: 'boolean', default: false },
      short: { type: 'boolean', default: false },
      only: { type: 'string' },
      processes: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      against: { type: 'string' },
      profile: { type: 'string' },
    },
  });
  const { short, only, against, profile } = values;
  const suite = values.redis ? REDIS : HTTP;
  const all = [
    // What CacheContext costs concerns Node's version rather than a change of ours: left to the full form.
    ...(short ? suite.rows.filter(({ server }) => server !== 'caching-context') : suite.rows),
    ...(against === undefined ? [] : suite.otherRows),
  ];
  const names = all.map(({ name }) => name);
  const [rowNames, platforms, sizes] = (only ?? '').split('/');
  const run = positive('--seconds', values.seconds ?? (short ? '0.25' : '0.5'));
  const isNamed = rowNames !== undefined && rowNames !== '';
  const found = chosen('row', names, rowNames);
  const rows = all.filter(({ name }) => found.includes(name));
  return {
    suite,
    rows: (size) => rows.filter((row) => isNamed || row.sizes.includes(size)),
    platforms: chosen('platform', PLATFORMS, platforms),
    sizes: chosen('size', suite.sizes, sizes ?? (short ? '10' : undefined)),
    processes: count('--processes', values.processes ?? (short ? '1' : String(suite.processes))),
    rounds: count('--rounds', values.rounds ?? '3'),
    seconds: { warmUp: short ? 1 : 1.5, run },
    form: only !== undefined ? 'part' : short ? 'short' : 'full',
    against,
    profile,
  };
}

function namesOf({ rows }: Suite): string {
  return rows.map(({ name }) => name).join(' ');
}

function chosen<T extends string | number>(what: string, all: readonly T[], given = ''): readonly T[] {
  if (given === '') return all;
  return given.split('+').map((name) => {
    const found = all.find((item) => String(item) === name);
    if (found === undefined) throw new Error(`There is no ${what} "${name}": ${all.join(', ')}.`);
    return found;
  });
}

function count(option: string, text: string): number {
  const value = positive(option, text);
  if (!Number.isInteger(value)) throw new Error(`${option} ${text}: a whole number.`);
  return value;
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1_000)) throw new Error(`${option} ${text}: a number above 0.`);
  return value;
}
