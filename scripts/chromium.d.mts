/** What it is started with: nothing of the network but what the test opens. */
export const CHROMIUM_FLAGS: readonly string[];

/**
 * The path of Chromium: of `CHROMIUM`, else on the PATH, else installed by the system's package manager. Rejects with
 * one line that says what to install.
 */
export function findChromium(): Promise<string>;
