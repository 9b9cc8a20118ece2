export { openTelemetry, type OpenTelemetryMetricsOptions } from './observe/open-telemetry.js';
