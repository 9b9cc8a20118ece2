export { prometheus, type PrometheusOptions } from './observe/prometheus.js';
