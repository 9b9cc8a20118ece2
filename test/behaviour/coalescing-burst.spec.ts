import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS } from '../support/application.js';
import { burst } from '../support/burst.js';
import { type GatedApplication, startGated } from '../support/gated-application.js';
import { eventually } from '../support/gate.js';

const REQUESTS = 10_000;
const SOCKETS = 200;

describe.each(PLATFORMS)('10,000 requests at once on %s', (platform) => {
  let gated: GatedApplication;

  beforeEach(async () => (gated = await startGated(platform)));
  afterEach(() => gated.close());

  it('for a cold key run its handler once, and all get the same 200', async () => {
    const replies = burst(gated.port, '/gated', REQUESTS, SOCKETS);
    // Not before all of them have missed does the handler end: none is a hit.
    await eventually(() => gated.count('miss') === REQUESTS, 'all requests have missed');
    gated.world.open(1);
    const got = await replies;
    expect(got).toHaveLength(REQUESTS);
    expect(new Set(got.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(got.map(({ body }) => body))).toEqual(new Set(['{"run":1,"version":1}']));
    expect(gated.world.runs).toBe(1);
    expect(gated.count('coalesced')).toBe(REQUESTS - 1);
    expect(gated.count('stored')).toBe(1);
    expect(gated.count('hit')).toBe(0);
  });

  it('for a hot key run no handler', async () => {
    await gated.ask('/gated');
    const got = await burst(gated.port, '/gated', REQUESTS, SOCKETS);
    expect(new Set(got.map(({ status, verdict, body }) => `${status} ${verdict} ${body}`))).toEqual(
      new Set(['200 HIT {"run":1,"version":1}']),
    );
    expect(gated.world.runs).toBe(1);
  });
});
