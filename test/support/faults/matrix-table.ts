import { HEARTBEAT, MEMORY_BYTES, STORE_TIMEOUT } from './shop.js';
import type { Cell, Duration } from './matrix-cell.js';

/** What the cache may take of a request's time, in milliseconds, at the 99th percentile. */
const CACHE_TIME = STORE_TIMEOUT + 20;

/** From the end of a fault to hits, in milliseconds. */
const BACK = { 'one server': 1_500, cluster: 4_000, sentinel: 4_000 } as const;

/** Bytes that may be alive after an outage and were not before: both tiers in process, which fill up, and as noise. */
const GROWTH = 2 * MEMORY_BYTES + 4 * 1024 * 1024;

/** What of a cell is not as promised, in words. */
export function problemsOf(cell: Cell): string[] {
  const { failed, wrong, stale, cacheTime, slowest, back, old, memory, told } = cell;
  const grown = memory?.grown.live ?? 0;
  const limit = BACK[cell.fault.topology];
  const claims: readonly (readonly [boolean, string])[] = [
    [failed > 0, `${failed} requests failed`],
    [wrong > 0, `${wrong} bodies were wrong`],
    [stale > 0, `${stale} responses were older than an eviction by the same instance`],
    [
      cacheTime.own > CACHE_TIME,
      `the cache took ${inMs(cacheTime)} at the 99th percentile; most of all ${slowest.target}, ${inMs(slowest)}`,
    ],
    [back.own > limit, `hits were back after ${inMs(back)}`],
    [old.own > limit + HEARTBEAT + STORE_TIMEOUT, `evictions of the fault were late by ${inMs(old)}`],
    [grown > GROWTH, `memory grew by ${megabytes(grown)} MB`],
  ];
  const problems = claims.flatMap(([isTrue, problem]) => (isTrue ? [problem] : []));
  return problems.length === 0 ? [] : [...problems, ...told];
}

const HEAD = [
  'Fault',
  'node-redis',
  'On',
  'Lasted (s)',
  'Requests',
  'Hits',
  'Failed',
  'Wrong',
  'Stale',
  'Cache p99 (ms)',
  'Cache max (ms)',
  'Loop p99 (ms)',
  'Hits back (ms)',
  'Evicted elsewhere (ms)',
];

/** The cells as a table in Markdown. */
export function tableOf(cells: readonly Cell[]): string {
  return markdown(
    HEAD,
    cells.map((cell) => [
      cell.fault.name,
      String(cell.major),
      cell.platform,
      (cell.lasted / 1_000).toFixed(1),
      String(cell.answered),
      `${Math.round((cell.hits / cell.answered) * 100)} %`,
      String(cell.failed),
      String(cell.wrong),
      String(cell.stale),
      withoutStalls(cell.cacheTime),
      withoutStalls(cell.slowest),
      cell.loopLate.toFixed(0),
      withoutStalls(cell.back),
      withoutStalls(cell.old),
    ]),
  );
}

/** What memory grew by where it was measured, in Markdown. */
export function memoryTableOf(cells: readonly Cell[]): string {
  return markdown(
    ['Fault', 'node-redis', 'Lasted (s)', 'Rendered (MB)', 'Alive after (MB)', 'RSS (MB)'],
    cells.flatMap(({ fault, major, lasted, memory }) =>
      memory === undefined
        ? []
        : [
            [
              fault.name,
              String(major),
              (lasted / 1_000).toFixed(1),
              megabytes(memory.rendered),
              signed(megabytes(memory.grown.live)),
              signed(megabytes(memory.grown.rss)),
            ],
          ],
    ),
  );
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map((_, column) => (column === 0 ? '---' : '---:')), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Both, where they differ. */
function withoutStalls({ ms, own }: Duration): string {
  const [whole, rest] = [ms.toFixed(0), own.toFixed(0)];
  return whole === rest ? whole : `${whole} (${rest})`;
}

function inMs({ ms, own }: Duration): string {
  return `${ms.toFixed(0)} ms, of which ${(ms - own).toFixed(0)} ms the event loop stood still`;
}

function megabytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}

function signed(number: string): string {
  return number.startsWith('-') ? number : `+${number}`;
}
