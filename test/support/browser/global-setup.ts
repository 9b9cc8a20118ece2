import { findChromium } from '../../../scripts/chromium.mjs';

/** Once a run, before its first spec: where there is no browser and none can be installed, the run ends with what to do. */
export async function setup(): Promise<void> {
  await findChromium();
}
