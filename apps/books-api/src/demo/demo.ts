import { outage, SHORT_TTL, validatorsAndStaleness } from './http-stories.js';
import { ModelProcess } from './model-process.js';
import { Player } from './player.js';
import { type RunningApp, startApp } from './running-app.js';
import { memoizedMethod, missingModel, model, newBook, people, slowListAndWrites } from './stories.js';

/** A privileged port that nothing is assigned to: connections are refused. */
const NOWHERE = 'http://127.0.0.1:2';

const print = (line: string): void => {
  process.stdout.write(line);
};

const started: RunningApp[] = [];
const ownModel = new ModelProcess();

async function start(environment?: Record<string, string>): Promise<string> {
  const app = await startApp(environment);
  started.push(app);
  return app.url;
}

/** Returns what came out otherwise than expected. */
async function play(): Promise<string[]> {
  const { BASE_URL } = process.env;
  const player = new Player(BASE_URL ?? (await start()), print);
  const faster = await slowListAndWrites(player);
  await newBook(player);
  await memoizedMethod(player);
  await people(player);
  await model(player);
  const failures = [...player.failures];
  if (BASE_URL === undefined) {
    const withoutModel = new Player(await start({ MODEL_URL: NOWHERE }), print);
    await missingModel(withoutModel);
    failures.push(...withoutModel.failures);
    await ownModel.start();
    const shortLived = {
      LIST_TTL_MS: String(SHORT_TTL),
      ANALYSIS_TTL_MS: String(SHORT_TTL),
      MODEL_URL: ownModel.url,
    };
    const aging = new Player(await start(shortLived), print);
    await validatorsAndStaleness(aging);
    await outage(aging, ownModel);
    failures.push(...aging.failures);
  }
  print(`\nThe list came ${Math.round(faster)} times faster from the cache.\n`);
  if (faster < 10) failures.push(`The list came only ${faster.toFixed(1)} times faster from the cache`);
  return failures;
}

try {
  const failures = await play();
  print(failures.length === 0 ? 'Everything as expected.\n' : `\nUnexpected:\n${failures.join('\n')}\n`);
  process.exitCode = failures.length === 0 ? 0 : 1;
} finally {
  await Promise.all([ownModel, ...started].map((each) => each.stop()));
}
