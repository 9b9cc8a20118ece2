// A process that stores and evicts until it is killed: `node killed-life.mjs <file> <name>`.
import { sqlite } from '../../../libs/caching/src/stores/sqlite/sqlite.store.js';
import { tierHost } from '../tier-host.js';

const [, , file = '', name = ''] = process.argv;
// The store keeps no process alive by itself.
setInterval(() => undefined, 60_000);
const tier = sqlite({ file });
tier.open(
  tierHost('books', {
    longestLife: () => 3_600_000,
    onError: (operation, error) => {
      throw new Error(operation, { cause: error });
    },
  }),
);
await tier.sync(undefined);
await tier.set(`key of ${name}`, Buffer.from(`frame of ${name}`), 3_600_000);
for (let i = 0; i < 100_000; i++) {
  const { epoch, n } = await tier.evict([`${name}:${i}`]);
  process.stdout.write(`${JSON.stringify({ epoch, n, i, name })}\n`);
}
