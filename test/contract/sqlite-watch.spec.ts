import { expect, it, onTestFinished } from 'vitest';
import { loadDriver } from '../../libs/caching/src/stores/sqlite/sqlite-driver.js';
import { SqliteFile } from '../../libs/caching/src/stores/sqlite/sqlite-file.js';
import { SqliteSequence } from '../../libs/caching/src/stores/sqlite/sqlite-sequence.js';
import { SqliteWatch } from '../../libs/caching/src/stores/sqlite/sqlite-watch.js';
import { FakeClock } from '../support/fake-clock.js';
import { SqliteStorage } from '../support/sqlite/storage.js';

it('tells each eviction once, also one that comes while it looks', () => {
  const storage = new SqliteStorage();
  onTestFinished(() => storage.close());
  const open = () => {
    const file = new SqliteFile(storage.file, loadDriver(undefined));
    onTestFinished(() => file.close());
    return file;
  };
  const clock = new FakeClock();
  const sequence = new SqliteSequence('books', () => 3_600_000);
  const other = open();
  const evict = (tag: string) =>
    other.transact(() => void sequence.evict(other, [tag], undefined, clock.now()), false);
  const own = open();
  const heard: string[] = [];
  let whileItLooks = (): void => undefined;
  const watch = new SqliteWatch({
    clock,
    sequence,
    file: () => {
      whileItLooks();
      return own;
    },
    onEviction: ({ n }, tags) => heard.push(`${n} ${tags?.join()}`),
    onHearing: () => undefined,
    onError: (error) => heard.push(String(error)),
  });
  evict('before');
  watch.look();
  const tags = ['b', 'c', 'd'];
  whileItLooks = () => {
    const tag = tags.shift();
    if (tag !== undefined) evict(tag);
  };
  evict('a');
  clock.advance(100);
  clock.advance(100);
  watch.close();
  expect(heard).toEqual(['2 a', '3 b', '4 c', '5 d']);
});
