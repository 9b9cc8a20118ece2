/** The program of an instance in a process of its own: what it is asked comes from its parent, and so does the data. */
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../../libs/caching/src/cache/clock.js';
import { storeFromUrl } from '../../../libs/caching/src/config/store-from-url.js';
import type { SharedTier } from '../../../libs/caching/src/stores/shared-tier.js';
import { HistoryInstance } from './history-instance.js';
import type { Answer, ProcessOptions, Request } from './instance-protocol.js';
import type { Versions } from './world.js';

const { url, ...options } = JSON.parse(process.argv[2] ?? '{}') as ProcessOptions;
const queries = new Map<number, (versions: Partial<Versions>) => void>();
let asked = 0;

const instance = new HistoryInstance({
  ...options,
  tier: storeFromUrl(url) as SharedTier,
  clock: systemClock,
  pause: async () => {
    await delay(1);
  },
  query: (parts) =>
    new Promise((resolve) => {
      queries.set(++asked, resolve);
      tell({ kind: 'query', id: asked, parts });
    }),
});

process.on('message', (request: Request) => void handle(request));
// Without its parent there is nobody to serve.
process.once('disconnect', () => process.exit());

async function handle(request: Request): Promise<void> {
  switch (request.kind) {
    case 'data':
      queries.get(request.id)?.(request.versions);
      queries.delete(request.id);
      return;
    case 'read':
      tell({ kind: 'seen', id: request.id, seen: await instance.read(request.of) });
      return;
    case 'evict':
      tell({ kind: 'evicted', id: request.id, acknowledged: await instance.evict(request.part) });
  }
}

function tell(answer: Answer): void {
  process.send?.(answer);
}
