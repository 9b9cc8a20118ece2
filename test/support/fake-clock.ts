export { FakeClock } from '../../libs/caching/src/testing.js';
