import { context, trace, type Tracer } from '@opentelemetry/api';
import { CachingConfigError } from '../caching.errors.js';
import { SCOPE } from './open-telemetry.js';
import type { CacheTracer } from './tracing.js';

export interface OpenTelemetryTracingOptions {
  /** Default: one of the global tracer provider. */
  readonly tracer?: Tracer;
}

/**
 * A span for each look-up and for each run of a handler that fills the cache, through `@opentelemetry/api`. What the
 * handler does is below its span. Spans hold the route and what came of it, no keys.
 *
 * @example
 * CachingModule.forRoot({ tracing: openTelemetryTracing() })
 */
export function openTelemetryTracing({ tracer }: OpenTelemetryTracingOptions = {}): CacheTracer {
  if (tracer !== undefined && typeof (tracer as Partial<Tracer>).startSpan !== 'function')
    throw new CachingConfigError(
      'tracer',
      tracer,
      'a Tracer of @opentelemetry/api',
      'openTelemetryTracing()',
    );
  // Asked for each time, which is cheap: the application's SDK may be registered late.
  const own = (): Tracer => tracer ?? trace.getTracer(SCOPE);
  return {
    lookup: ({ at, lookupMs, route, found, tier }) => {
      const span = own().startSpan(`${SCOPE}.lookup`, {
        startTime: at - lookupMs,
        attributes: { 'cache.route': route, 'cache.found': found, ...(tier && { 'cache.tier': tier }) },
      });
      span.end(at);
    },
    fill: (route) => {
      const span = own().startSpan(`${SCOPE}.fill`, { attributes: { 'cache.route': route } });
      const within = trace.setSpan(context.active(), span);
      return {
        run: (work) => context.with(within, work),
        end: (stored, reason) => {
          span.setAttribute('cache.stored', stored);
          if (reason !== undefined) span.setAttribute('cache.reason', reason);
          span.end();
        },
      };
    },
  };
}
