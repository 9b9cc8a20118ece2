import { type Meter, metrics, type ObservableResult } from '@opentelemetry/api';
import { CachingConfigError } from '../caching.errors.js';
import type { CacheInstruments, MetricsExporter } from './instruments.js';

/** What names of instruments begin with, and the name of the meter and tracer. */
export const SCOPE = 'nestjs_caching';

export interface OpenTelemetryMetricsOptions {
  /** Default: one of the global meter provider. */
  readonly meter?: Meter;
}

/**
 * Metrics of the cache through `@opentelemetry/api`: what its SDK, started by the application, does with them. Counters
 * are read when they are collected.
 *
 * @example
 * CachingModule.forRoot({ metrics: openTelemetry() })
 */
export function openTelemetry({ meter }: OpenTelemetryMetricsOptions = {}): MetricsExporter {
  if (meter !== undefined && typeof (meter as Partial<Meter>).createObservableCounter !== 'function')
    throw new CachingConfigError('meter', meter, 'a Meter of @opentelemetry/api', 'openTelemetry()');
  // Not before the application starts: its SDK may be registered after this module was imported.
  return { start: (instruments) => start(instruments, meter ?? metrics.getMeter(SCOPE)) };
}

function start({ read, histograms }: CacheInstruments, meter: Meter): () => void {
  const ends: (() => void)[] = [];
  for (const instrument of read) {
    const { name, help: description, unit, kind } = instrument;
    const full = `${SCOPE}.${name}`;
    const options = { description, unit };
    const observed =
      kind === 'counter'
        ? meter.createObservableCounter(full, options)
        : meter.createObservableGauge(full, options);
    const observe = (result: ObservableResult): void => {
      for (const { value, labels } of instrument.samples()) result.observe(value, labels);
    };
    observed.addCallback(observe);
    ends.push(() => observed.removeCallback(observe));
  }
  for (const instrument of histograms) {
    const { name, help: description, unit, bounds } = instrument;
    const histogram = meter.createHistogram(`${SCOPE}.${name}`, {
      description,
      unit,
      advice: { explicitBucketBoundaries: [...bounds] },
    });
    instrument.recordTo((value, labels) => histogram.record(value, labels));
  }
  return () => {
    for (const end of ends) end();
  };
}
