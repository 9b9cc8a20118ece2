import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ModelProcess } from './model-process.js';
import type { Player } from './player.js';
import { analysis, list } from './requests.js';
import { waitFor } from './wait-for.js';

/** How long lists and analyses are fresh for these stories, in milliseconds. */
export const SHORT_TTL = 1_500;

/** A little longer than they are fresh. */
const untilStale = (): Promise<void> => delay(SHORT_TTL + 100);

/** A client that has the list already is told so; one that comes too late gets the old one while it is made anew. */
export async function validatorsAndStaleness(player: Player): Promise<void> {
  const page = list('?author=austen');
  const handler = page.handler;
  player.chapter('What clients have already, and what is old but there at once');
  const first = await player.play('The list, for the first time', page, {
    status: 200,
    verdict: 'MISS',
    runs: 1,
  });
  await player.play(
    'A client that has it: 304, no body',
    { ...page, headers: { 'if-none-match': first.etag } },
    { status: 304, verdict: 'HIT', runs: 0, body: (body) => body === '' },
  );
  await untilStale();
  const before = await player.runs(handler);
  await player.play('Its time is over: the old one, at once', page, {
    status: 200,
    verdict: 'STALE',
    runs: 'later',
    detail: 'stale-while-revalidate',
    body: (body) => body === first.body,
  });
  await waitFor('the list was made anew in the background', 10_000, async () => {
    const response = await fetch(player.url + page.path);
    await response.text();
    return response.headers.get('x-cache') === 'HIT' ? response : undefined;
  });
  const runs = (await player.runs(handler)) - before;
  if (runs !== 1) player.failures.push(`The list was made anew ${runs} times instead of once`);
  await player.play('Made anew in the background, once', page, { status: 200, verdict: 'HIT', runs: 0 });
}

/** A model service that ends and comes back: who has asked before notices neither. */
export async function outage(player: Player, model: ModelProcess): Promise<void> {
  const text = `It is a truth universally acknowledged, says ${randomUUID()}.`;
  const asked = analysis({ text });
  player.chapter('An outage of the model service, survived');
  const first = await player.play('A text is analysed', asked, { status: 200, verdict: 'MISS', runs: 1 });
  await model.stop();
  await untilStale();
  const old = { status: 200, verdict: 'STALE', body: (body: string) => body === first.body };
  await player.play('The model is gone: it is asked, the old answer', asked, {
    ...old,
    runs: 1,
    detail: 'fwd=stale; fwd-status=502; detail=stale-if-error',
  });
  await player.play('It is not asked again for a while', asked, {
    ...old,
    runs: 0,
    detail: 'hit; ttl=0; detail=stale-if-error',
  });
  await player.play('What nobody has asked before is an error', analysis({ text: 'Call me.' }), {
    status: 502,
    verdict: 'MISS',
    runs: 1,
  });
  await model.start();
  await waitFor('the model was asked again', 15_000, async () => {
    const response = await fetch(player.url + asked.path, {
      method: asked.method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(asked.body),
    });
    await response.text();
    return response.headers.get('x-cache') === 'STALE' ? undefined : response;
  });
  await player.play('It is back: fresh again', asked, {
    status: 200,
    verdict: 'HIT',
    runs: 0,
    body: (body) => body === first.body,
  });
}
