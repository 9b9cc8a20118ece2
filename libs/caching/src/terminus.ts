export { CacheHealthIndicator, type CacheHealthOptions } from './observe/health-indicator.js';
