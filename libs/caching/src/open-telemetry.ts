export { openTelemetry, type OpenTelemetryMetricsOptions } from './observe/open-telemetry.js';
export { openTelemetryTracing, type OpenTelemetryTracingOptions } from './observe/open-telemetry-tracing.js';
