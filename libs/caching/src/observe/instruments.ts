/** Labels of one series. Every name is fixed, and every value is a route of the application or from a closed set. */
export type MetricLabels = Readonly<Record<string, string>>;

/** One number, and what it is the number of. */
export interface MetricSample {
  readonly value: number;
  readonly labels: MetricLabels;
}

interface Described {
  /** Words with dots, such as `handler.duration`. */
  readonly name: string;
  readonly help: string;
  /** By UCUM: `s`, `By`, or in braces what is counted. */
  readonly unit: string;
  readonly labels: readonly string[];
}

/** A number that is read when it is asked for: counting costs a request no more than an addition. */
export interface ReadInstrument extends Described {
  /** A counter only rises. */
  readonly kind: 'counter' | 'gauge';
  samples(): Iterable<MetricSample>;
}

/** A distribution. */
export interface HistogramInstrument extends Described {
  readonly kind: 'histogram';
  /** Upper bounds of its buckets, in `unit`. */
  readonly bounds: readonly number[];
  /** Where each value goes from now on. */
  recordTo(record: (value: number, labels: MetricLabels) => void): void;
}

/** All that a cache measures. */
export interface CacheInstruments {
  readonly read: readonly ReadInstrument[];
  readonly histograms: readonly HistogramInstrument[];
}

/**
 * Takes what a cache measures to a metrics system; made by `prometheus()` and `openTelemetry()`.
 *
 * @example
 * CachingModule.forRoot({ metrics: prometheus() })
 */
export interface MetricsExporter {
  /** Called once, when the application starts. What it returns ends it, when the application shuts down. */
  start(instruments: CacheInstruments): () => void;
}

type Description = Omit<Described, 'labels'> & { readonly labels?: readonly string[] };

class Instrument implements Described {
  readonly name: string;
  readonly help: string;
  readonly unit: string;
  readonly labels: readonly string[];

  constructor({ name, help, unit, labels = [] }: Description) {
    this.name = name;
    this.help = help;
    this.unit = unit;
    this.labels = labels;
  }
}

/** One of the numbers of a counter: whoever counts often keeps it. */
export interface Series {
  value: number;
  readonly labels: MetricLabels;
}

/** Counts for itself; whoever wants the numbers reads them. */
export class Counter extends Instrument implements ReadInstrument {
  readonly kind = 'counter';
  readonly #series = new Map<string, Series>();

  /** The series of the values of the labels, in their order; `''` for one that does not apply. */
  of(...values: readonly string[]): Series {
    const id = values.join('\n');
    let series = this.#series.get(id);
    if (series === undefined) {
      const labels = Object.fromEntries(
        this.labels.flatMap((name, at) => (values[at] ? [[name, values[at]]] : [])),
      );
      this.#series.set(id, (series = { value: 0, labels }));
    }
    return series;
  }

  samples(): Iterable<MetricSample> {
    return this.#series.values();
  }
}

export class Gauge extends Instrument implements ReadInstrument {
  readonly kind = 'gauge';

  constructor(
    description: Description,
    readonly samples: () => Iterable<MetricSample>,
  ) {
    super(description);
  }
}

export class Histogram extends Instrument implements HistogramInstrument {
  readonly kind = 'histogram';
  readonly #targets: ((value: number, labels: MetricLabels) => void)[] = [];

  constructor(
    description: Description,
    readonly bounds: readonly number[],
  ) {
    super(description);
  }

  recordTo(record: (value: number, labels: MetricLabels) => void): void {
    this.#targets.push(record);
  }

  record(value: number, labels: MetricLabels): void {
    for (const record of this.#targets) record(value, labels);
  }
}
