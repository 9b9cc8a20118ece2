import { type Size, SIZES } from './bodies.js';
import type { Measurement } from './cell.js';
import { groupBy } from './grouping.js';
import type { Limit } from './limits.js';
import { type Platform, PLATFORMS, type RowName } from './rows.js';
import { type Figure, overProcesses, ratiosOf, spreadOf } from './statistics.js';
import type { Column } from './suites.js';

/** Of what processes of `row` and `over` took that stood beside each other. */
export function ratioOf(row: readonly Measurement[], over: readonly Measurement[]): Figure | undefined {
  if (row[0] === undefined || over[0] === undefined || row[0].row.group !== over[0].row.group)
    return undefined;
  if ([...row, ...over].some(({ problem }) => problem !== undefined)) return undefined;
  return overProcesses(ratiosOf(cpuOf(row), cpuOf(over)));
}

function nameOf({ row, platform, size }: Measurement): string {
  return `${row.name}/${platform}/${size}`;
}

function cpuOf(processes: readonly Measurement[]): number[][] {
  return processes.map(({ samples }) => samples.map(({ cpu }) => cpu));
}

/** All that was measured, found by row, platform and size. */
export class Report {
  /** The processes that were measured one after the other. */
  readonly #processes: ReadonlyMap<string, readonly Measurement[]>;

  constructor(
    private readonly measurements: readonly Measurement[],
    private readonly columns: readonly Column[],
  ) {
    this.#processes = groupBy(measurements, nameOf);
  }

  get problems(): string[] {
    return this.measurements
      .filter(({ problem }) => problem !== undefined)
      .map((measurement) => `${nameOf(measurement)}: ${String(measurement.problem)}`);
  }

  /** One table a platform and size. */
  get tables(): string {
    const rows = [...this.#processes.values()];
    return this.#each((platform, size) => {
      const found = rows.filter(([first]) => first?.platform === platform && first.size === size);
      return found.length === 0 ? [] : [this.#table(platform, size, found)];
    }).join('\n');
  }

  #table(platform: Platform, size: Size, rows: readonly (readonly Measurement[])[]): string {
    const lines = rows.map((processes) => [
      processes[0]?.row.title ?? '',
      ...figures(processes),
      ...this.columns.map(({ over }) => this.#against(processes, over)),
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

  #against(processes: readonly Measurement[], overRow: Column['over']): string {
    const [first] = processes;
    const over = first && overRow(first.row);
    if (first === undefined || over === undefined) return '';
    const ratio = ratioOf(processes, this.#processesOf(over, first.platform, first.size));
    if (ratio === undefined) return '-';
    const [median, lowest, highest] = [ratio.median, ratio.lowest, ratio.highest].map((value) =>
      value.toFixed(value < 10 ? 2 : 1),
    );
    return first.row.name === over ? '1' : `${median} (${lowest}–${highest})`;
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
      const found =
        ratio === undefined
          ? 'not measured ('
          : `${ratio.median.toFixed(2)} (${ratio.lowest.toFixed(2)}–${ratio.highest.toFixed(2)}, `;
      return `${holds ? 'holds ' : 'MISSED'} ${platform}, ${size} KB: ${why}: ${found}at least ${atLeast.toFixed(2)})`;
    });
    return { lines, held };
  }

  #ratio(row: RowName, over: RowName, platform: Platform, size: Size): Figure | undefined {
    return ratioOf(this.#processesOf(row, platform, size), this.#processesOf(over, platform, size));
  }

  #processesOf(name: RowName, platform: Platform, size: Size): readonly Measurement[] {
    return this.#processes.get(`${name}/${platform}/${size}`) ?? [];
  }

  #each(describe: (platform: Platform, size: Size) => readonly string[]): string[] {
    return PLATFORMS.flatMap((platform) => SIZES.flatMap((size) => describe(platform, size)));
  }
}

function figures(processes: readonly Measurement[]): string[] {
  const cpu = overProcesses(cpuOf(processes));
  const perSecond = overProcesses(processes.map(({ samples }) => samples.map((sample) => sample.perSecond)));
  const isWhole = processes.every(({ problem }) => problem === undefined);
  if (!isWhole || cpu === undefined || perSecond === undefined) return ['-', '-', '-'];
  return [cpu.median.toFixed(1), spreadOf(cpu).toFixed(0), perSecond.median.toFixed(0)];
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
