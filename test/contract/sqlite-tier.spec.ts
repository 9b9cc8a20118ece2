import { describe, expect, it } from 'vitest';
import { sharedTierContract } from '../../libs/caching/src/testing.js';
import { SqliteStorage } from '../support/sqlite/storage.js';
import { rowsOf } from '../support/store-promises.js';

describe('sqlite()', () => {
  const contract = sharedTierContract(() => new SqliteStorage(), { sharedBy: 'instances' });

  it.each(rowsOf(contract))('%s', async (_promise, check) => {
    await expect(check()).resolves.toBeUndefined();
  });
});
