import { cpus } from 'node:os';
import { type Plan, readPlan, USAGE } from './arguments.js';
import type { Cell } from './cell.js';
import { measure, neighboursOf } from './generation.js';
import { CONNECTIONS } from './load.js';
import { findPins, pin, type Pins } from './pinning.js';
import { Report } from './report.js';

async function main(): Promise<number> {
  const plan = readPlan(process.argv.slice(2));
  const pins = findPins();
  if (pins !== undefined) pin(process.pid, pins.load);
  print(conditions(plan, pins));
  const cells: Cell[] = [];
  // Processes of the same server stand far from each other in time: then other work on the machine, which lasts, does
  // not reach most of them.
  for (let generation = 1; generation <= plan.processes; generation++) {
    for (const neighbours of neighboursOf(plan, generation)) {
      const { platform, size, rows } = neighbours;
      const where = `processes ${generation} of ${plan.processes}, ${platform}, ${size} KB, ${rows[0]?.group}`;
      const around = { plan, pins, progress: (text: string) => progress(`${where}: ${text}`) };
      cells.push(...(await measure(neighbours, around)));
      progress('');
    }
  }
  return conclude(plan, new Report(cells, plan.suite.columns));
}

function conditions(plan: Plan, pins: Pins | undefined): string {
  const cores = cpus().length;
  const load = plan.suite.needsRedis ? 'the load and Redis' : 'the load';
  const where =
    pins === undefined
      ? 'Nothing is pinned: taskset or a second core is missing, so servers and load share cores.'
      : `Servers are pinned to core ${pins.server}, ${load} to core ${pins.load}.`;
  return (
    `Node ${process.versions.node}, ${cores} cores, ${CONNECTIONS} keep-alive connections, ` +
    `${plan.processes === 1 ? 'one process' : `${plan.processes} processes`} of each server, ` +
    `${plan.rounds} interleaved rounds of about ${plan.seconds.run} s each. ` +
    `${where}\nCPU is the server process alone. A ratio compares requests per second of CPU time, more is better: ` +
    (plan.processes > 1
      ? 'of the rounds of each process the median, and of these the median (lowest–highest) over the processes.\n\n'
      : 'the median (lowest–highest) of the rounds of one process.\n\n')
  );
}

function conclude(plan: Plan, report: Report): number {
  print(`${report.tables}\n`);
  print(lines([...report.prices, ...report.builds]));
  const { problems } = report;
  print(lines(problems.map((problem) => `NO MEASUREMENT ${problem}`)));
  if (plan.form === 'part') return problems.length > 0 ? 1 : 0;
  const { limits, shortLimits } = plan.suite;
  const { lines: checked, held } = report.check(plan.form === 'full' ? limits : shortLimits);
  print(lines(checked));
  return held && problems.length === 0 ? 0 : 1;
}

function lines(texts: readonly string[]): string {
  return texts.length === 0 ? '' : `${texts.join('\n')}\n\n`;
}

function print(text: string): void {
  process.stdout.write(text);
}

/** Where somebody watches: written over itself. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`);
}

// Otherwise what runs beside this process, such as Redis, would outlive it.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exitCode = 2;
}
