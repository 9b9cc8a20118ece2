import { Counter, Gauge, Histogram, register as globalRegister, type Registry } from 'prom-client';
import { CachingConfigError } from '../caching.errors.js';
import type { CacheInstruments, MetricsExporter, ReadInstrument } from './instruments.js';

export interface PrometheusOptions {
  /** Where the metrics are registered. Default: prom-client's own, which `/metrics` usually shows. */
  readonly register?: Registry;
  /** What their names begin with. Default `'nestjs_caching_'`. */
  readonly prefix?: string;
}

const UNITS: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' };

/**
 * Metrics of the cache in `prom-client`. Counters are read when they are scraped.
 *
 * @throws CachingConfigError when the application starts, where the registry has metrics of these names already
 * @example
 * CachingModule.forRoot({ metrics: prometheus() })
 */
export function prometheus(options: PrometheusOptions = {}): MetricsExporter {
  const { register = globalRegister, prefix = 'nestjs_caching_' } = options;
  if (typeof prefix !== 'string' || !/^(?:[a-zA-Z_:][\w:]*)?$/.test(prefix))
    throw new CachingConfigError(
      'prefix',
      prefix,
      'the beginning of a Prometheus metric name: letters, digits, "_" and ":"',
      'prometheus()',
    );
  return { start: (instruments) => start(instruments, register, prefix) };
}

function start({ read, histograms }: CacheInstruments, register: Registry, prefix: string): () => void {
  const names = [...read, ...histograms].map((each) => nameOf(each, prefix));
  const taken = names.find((name) => register.getSingleMetric(name) !== undefined);
  if (taken !== undefined)
    throw new CachingConfigError(
      'metrics',
      `a registry that has ${taken} already`,
      'a registry of its own for each application, prometheus({ register }), or another prefix',
    );
  const registers = [register];
  for (const instrument of read) {
    const { help, labels, kind } = instrument;
    const options = { name: nameOf(instrument, prefix), help, labelNames: labels, registers: [] };
    const metric = kind === 'counter' ? new Counter(options) : new Gauge(options);
    // In TypeScript only an option of its constructor; both are read like this.
    Object.assign(metric, {
      collect: () => {
        metric.reset();
        for (const { value, labels: own } of instrument.samples()) metric.inc(own, value);
      },
    });
    register.registerMetric(metric);
  }
  for (const instrument of histograms) {
    const { help, labels, bounds } = instrument;
    const histogram = new Histogram({
      name: nameOf(instrument, prefix),
      help,
      labelNames: labels,
      buckets: [...bounds],
      registers,
    });
    instrument.recordTo((value, own) => histogram.observe(own, value));
  }
  return () => {
    for (const name of names) register.removeSingleMetric(name);
  };
}

/** As OpenTelemetry's names become those of Prometheus. */
function nameOf(
  { name, unit, kind }: Pick<ReadInstrument, 'name' | 'unit'> & { readonly kind: string },
  prefix: string,
): string {
  const total = kind === 'counter' ? '_total' : '';
  return `${prefix}${name.replaceAll('.', '_')}${UNITS[unit] ?? ''}${total}`;
}
