// A process that acknowledges evictions until it is killed: `node killed-life.mjs <database>`.
import { KeyvSqlite } from '@keyv/sqlite';
import { keyv } from '../../../libs/caching/src/stores/keyv/keyv.store.js';
import { tierHost } from '../tier-host.js';

const tier = keyv(new KeyvSqlite({ uri: `sqlite://${process.argv[2]}` }));
tier.open(
  tierHost('books', {
    longestLife: () => 3_600_000,
    onError: (operation, error) => {
      throw new Error(operation, { cause: error });
    },
  }),
);
await tier.set('key', Buffer.from('frame'), 3_600_000);
for (let i = 0; i < 100_000; i++) {
  const { epoch, n } = await tier.evict([`tag:${i}:${'x'.repeat(100)}`]);
  process.stdout.write(`${JSON.stringify({ epoch, n, i })}\n`);
}
