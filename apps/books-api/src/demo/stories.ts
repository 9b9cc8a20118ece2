import { randomUUID } from 'node:crypto';
import type { Expectation, Player } from './player.js';
import {
  add,
  analysis,
  book,
  forgetStatistics,
  home,
  languages,
  list,
  login,
  logout,
  me,
  remove,
  reprice,
  search,
  statistics,
} from './requests.js';

type Body = (body: string) => boolean;

const miss = (body?: Body): Expectation => ({
  status: 200,
  verdict: 'MISS',
  runs: 1,
  ...(body ? { body } : {}),
});
const hit = (body?: Body): Expectation => ({
  status: 200,
  verdict: 'HIT',
  runs: 0,
  ...(body ? { body } : {}),
});
const bypass: Expectation = { status: 200, verdict: 'BYPASS', runs: 1 };
/** A route that nothing is cached of. */
const write = (status: number): Expectation => ({ status, verdict: '-', runs: 1 });

const same = (earlier: { body: string }) => (body: string) => body === earlier.body;
const has = (part: string) => (body: string) => body.includes(part);
const hasNot = (part: string) => (body: string) => !body.includes(part);

const NAME = 'moby-dick';
const OLD_PRICE = 11.5;
const NEW_PRICE = 7.25;

/** The slow list from the cache; a write that makes the next read fresh. Returns how many times faster a hit is. */
export async function slowListAndWrites(player: Player): Promise<number> {
  const page = '?author=melville';
  player.chapter('A slow list becomes fast, and a write makes the next read fresh');
  await player.play('A price to start from (and a clean start)', reprice(NAME, OLD_PRICE), write(204));
  const first = await player.play(
    'The list, for the first time',
    list(page),
    miss(has(`"price":${OLD_PRICE}`)),
  );
  const second = await player.play('Again: the same bytes, no query', list(page), hit(same(first)));
  await player.play('A bypass: ?nocache=1', list(`${page}&nocache=1`), bypass);
  const found = await player.play('A search (POST)', search({ text: 'melville', limit: 5 }), miss());
  await player.play(
    'Again, members in another order',
    search({ limit: 5, text: 'melville' }),
    hit(same(found)),
  );
  await player.play('The book', book(NAME), miss());
  await player.play('Again', book(NAME), hit());

  await player.play('A new price', reprice(NAME, NEW_PRICE), write(204));
  const fresh = has(`"price":${NEW_PRICE}`);
  await player.play('The list shows it', list(page), miss(fresh));
  await player.play('The search shows it', search({ text: 'melville', limit: 5 }), miss(fresh));
  await player.play('The book shows it', book(NAME), miss(fresh));
  await player.play('And is kept again', book(NAME), hit(fresh));
  return first.milliseconds / second.milliseconds;
}

/** A remembered 404 never hides a new book; a write that fails evicts nothing. */
export async function newBook(player: Player): Promise<void> {
  const name = `demo-${randomUUID().slice(0, 8)}`;
  const newBook = {
    name,
    title: 'The Demo',
    author: 'Nobody',
    year: 2000,
    language: `Language of ${name}`,
    price: 1,
  };
  player.chapter('A new book, a write that fails, and a removal');
  const none: Expectation = { status: 404, verdict: 'MISS', runs: 1 };
  await player.play('No such book', book(name), none);
  await player.play('That is remembered, for 5 seconds', book(name), { ...none, verdict: 'HIT', runs: 0 });
  await player.play('The book is added', add(newBook), write(201));
  await player.play('It is there at once', book(name), miss(has(name)));
  await player.play('Its language is counted', languages, miss(has(newBook.language)));
  await player.play('Adding it again fails', add(newBook), write(409));
  await player.play('A price that is not one fails', reprice(name, 'cheap'), { ...write(400), runs: 0 });
  await player.play('Neither evicted anything: the book', book(name), hit());
  await player.play('Nor the languages', languages, hit());
  await player.play('The book is removed', remove(name), write(204));
  await player.play('It is gone at once', book(name), none);
  await player.play('Its language too', languages, miss(hasNot(newBook.language)));
}

export async function people(player: Player): Promise<void> {
  player.chapter('What is for everybody, and what is for one');
  const alice = await player.play('Alice logs in', login('alice'), write(303));
  const bob = await player.play('Bob logs in', login('bob'), write(303));
  await player.play('The home page', home(), miss(hasNot('Welcome')));
  await player.play('Again', home(), hit());
  await player.play('Logged in, it is made for Alice', home(alice.cookie), {
    ...bypass,
    body: has('Welcome, alice'),
  });
  await player.play("Alice's own", me(alice.cookie), miss(has('alice')));
  await player.play('Again', me(alice.cookie), hit(has('alice')));
  await player.play("Bob does not get Alice's", me(bob.cookie), miss(has('bob')));
  await player.play('Alice logs out', logout(alice.cookie), write(303));
  await player.play('The home page counts anew', home(), miss());
  await player.play('Bob logs out', logout(bob.cookie), write(303));
}

export async function model(player: Player): Promise<void> {
  // A text that no cache has seen, so that the story can be played again.
  const text = `Call me Ishmael, or ${randomUUID()}. Some years ago I thought I would sail about a little.`;
  player.chapter('A model service behind it, and errors, which are not kept');
  const first = await player.play('A text is analysed', analysis({ text }), miss(has('"sentences":2')));
  await player.play('Again: the model is not asked', analysis({ text }), hit(same(first)));
  await player.play('bypass: false is the same key', analysis({ bypass: false, text }), hit(same(first)));
  await player.play('bypass: true asks the model', analysis({ bypass: true, text }), bypass);
  const refused: Expectation = { status: 422, verdict: 'MISS', runs: 1 };
  await player.play('A text without words is an error', analysis({ text: '1 2 3' }), refused);
  await player.play('It was not kept', analysis({ text: '1 2 3' }), refused);
}

/** A method of a service, remembered for each of its arguments: no view is cached here. */
export async function memoizedMethod(player: Player): Promise<void> {
  player.chapter('A heavy method of a service is memoized (X-Cache is for views, so there is none)');
  const computed = (body?: Body): Expectation => ({
    status: 200,
    verdict: '-',
    runs: 1,
    ...(body && { body }),
  });
  const kept = (body: Body): Expectation => ({ status: 200, verdict: '-', runs: 0, body });
  const forgotten: Expectation = { status: 204, verdict: '-', runs: 0 };
  await player.play('A clean start', forgetStatistics(), forgotten);
  const english = await player.play('Statistics, computed', statistics('English'), computed(has('"books"')));
  const french = await player.play('Of another language', statistics('French'), computed());
  await player.play('Again: nothing is computed', statistics('English'), kept(same(english)));
  await player.play('The other one, too', statistics('French'), kept(same(french)));
  await player.play('One call is evicted', forgetStatistics('English'), forgotten);
  await player.play('It is computed anew', statistics('English'), computed());
  await player.play('The other one is not', statistics('French'), kept(same(french)));
  await player.play('All calls are evicted', forgetStatistics(), forgotten);
  await player.play('Computed', statistics('English'), computed());
  await player.play('Computed, too', statistics('French'), computed());
  await player.play('A price changes', reprice(NAME, OLD_PRICE), write(204));
  await player.play('Its tag evicted them', statistics('English'), computed());
}

/** Against an application whose model service is not there. */
export async function missingModel(player: Player): Promise<void> {
  player.chapter('The same with a wrong MODEL_URL');
  const failed: Expectation = { status: 502, verdict: 'MISS', runs: 1 };
  await player.play('No model service answers', analysis({ text: 'Call me Ishmael.' }), failed);
  await player.play('That was not kept either', analysis({ text: 'Call me Ishmael.' }), failed);
}
