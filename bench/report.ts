import { type Size, SIZES } from './bodies.js';
import type { Cell, Sample } from './cell.js';
import type { Limit } from './limits.js';
import { type Platform, PLATFORMS, type RowName } from './rows.js';
import type { Column } from './suites.js';

export interface Ratio {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** Of what `row` and `over` took in the same round; the median round counts. */
export function ratioOf(row: Cell | undefined, over: Cell | undefined): Ratio | undefined {
  if (row === undefined || over === undefined) return undefined;
  if (row.problem !== undefined || over.problem !== undefined) return undefined;
  const rounds = row.samples.flatMap(({ cpu }, round) => {
    const other = over.samples[round];
    return other === undefined ? [] : [other.cpu / cpu];
  });
  if (rounds.length === 0) return undefined;
  return { median: median(rounds), lowest: Math.min(...rounds), highest: Math.max(...rounds) };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

/** All that was measured, found by row, platform and size. */
export class Report {
  readonly #cells: ReadonlyMap<string, Cell>;

  constructor(
    private readonly cells: readonly Cell[],
    private readonly columns: readonly Column[],
  ) {
    this.#cells = new Map(cells.map((cell) => [cell.name, cell]));
  }

  get problems(): string[] {
    return this.cells
      .filter(({ problem }) => problem !== undefined)
      .map(({ name, problem }) => `${name}: ${String(problem)}`);
  }

  /** One table a platform and size. */
  get tables(): string {
    const groups = PLATFORMS.flatMap((platform) => SIZES.map((size) => [platform, size] as const));
    return groups
      .map(([platform, size]) =>
        this.cells.filter((cell) => cell.platform === platform && cell.size === size),
      )
      .filter((cells) => cells.length > 0)
      .map((cells) => this.#table(cells))
      .join('\n');
  }

  #table(cells: readonly Cell[]): string {
    const [{ platform, size } = { platform: '', size: '' }] = cells;
    const lines = cells.map((cell) => [
      cell.row.title,
      ...(cell.problem === undefined ? figures(cell.samples) : ['-', '-', '-']),
      ...this.columns.map(({ over }) => this.#against(cell, over(cell.row))),
    ]);
    const head = [
      `${platform}, ${size} KB`,
      'CPU/request µs',
      '±%',
      'requests/s',
      ...this.columns.map(({ title }) => title),
    ];
    return markdownTable([head, ...lines]);
  }

  #against(cell: Cell, over: RowName | undefined): string {
    if (over === undefined) return '';
    const ratio = ratioOf(cell, this.#cells.get(`${over}/${cell.platform}/${cell.size}`));
    if (ratio === undefined) return '-';
    const [median, lowest, highest] = [ratio.median, ratio.lowest, ratio.highest].map((value) =>
      value.toFixed(value < 10 ? 2 : 1),
    );
    return cell.row.name === over ? '1' : `${median} (${lowest}–${highest})`;
  }

  /** What options that cost something take from hits and from misses. */
  get prices(): string[] {
    const pairs = [
      ['debugHeaders', 'hit-debug', 'hit'],
      ['debugHeaders', 'miss-debug', 'miss'],
      ['Metrics in prom-client', 'hit-metrics', 'hit-metrics-off'],
      ['Metrics in OpenTelemetry', 'hit-telemetry', 'hit-telemetry-off'],
      ['An injected CacheContext', 'hit-context', 'hit'],
      ['An injected CacheContext', 'miss-context', 'miss'],
    ] as const;
    return this.#each((platform, size) =>
      pairs.flatMap(([what, dear, plain]) => {
        const ratio = this.#ratio(dear, plain, platform, size);
        if (ratio === undefined) return [];
        const dearer = ((1 / ratio.median - 1) * 100).toFixed(1);
        return [
          `${what} makes a ${dear.split('-', 1).join()} cost ${dearer} % more CPU (${platform}, ${size} KB).`,
        ];
      }),
    );
  }

  /** What another build of the library takes, where one was given. */
  get builds(): string[] {
    const pairs = [
      ['hit', 'other-hit'],
      ['miss', 'other-miss'],
      ['hit-l2-5', 'other-hit-l2-5'],
      ['hit-l2-4', 'other-hit-l2-4'],
    ] as const;
    return this.#each((platform, size) =>
      pairs.flatMap(([tested, other]) => {
        const ratio = this.#ratio(tested, other, platform, size);
        if (ratio === undefined) return [];
        const [median, lowest, highest] = [ratio.median, ratio.lowest, ratio.highest].map((value) =>
          value.toFixed(3),
        );
        return [`${tested}, ${platform}, ${size} KB: ${median} × the other build (${lowest}–${highest}).`];
      }),
    );
  }

  /** Each limit with what was measured, and whether all hold; what was not measured does not hold. */
  check(limits: readonly Limit[]): { readonly lines: string[]; readonly held: boolean } {
    let held = true;
    const lines = limits.map(({ row, over, platform, size, atLeast, why }) => {
      const ratio = this.#ratio(row, over, platform, size);
      const holds = ratio !== undefined && ratio.median >= atLeast;
      held &&= holds;
      const found = ratio === undefined ? 'not measured' : ratio.median.toFixed(2);
      return `${holds ? 'holds ' : 'MISSED'} ${platform}, ${size} KB: ${why}: ${found} (at least ${atLeast.toFixed(2)})`;
    });
    return { lines, held };
  }

  #ratio(row: RowName, over: RowName, platform: Platform, size: Size): Ratio | undefined {
    const of = (name: RowName): Cell | undefined => this.#cells.get(`${name}/${platform}/${size}`);
    return ratioOf(of(row), of(over));
  }

  #each(describe: (platform: Platform, size: Size) => readonly string[]): string[] {
    return PLATFORMS.flatMap((platform) => SIZES.flatMap((size) => describe(platform, size)));
  }
}

function figures(samples: readonly Sample[]): string[] {
  const cpu = samples.map((sample) => sample.cpu);
  const middle = median(cpu);
  const spread = (Math.max(...cpu) - Math.min(...cpu)) / 2 / middle;
  const perSecond = median(samples.map((sample) => sample.perSecond));
  return [middle.toFixed(1), (spread * 100).toFixed(0), perSecond.toFixed(0)];
}

function markdownTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((cells) => (cells[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |\n`;
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  const [head = [], ...body] = rows;
  return [head, rule, ...body].map(line).join('');
}
