import { type Measured, type Setup, startServer } from './applications.js';
import type { Question, Started, Usage } from './messages.js';
import type { Platform, ServerKind } from './rows.js';

/** One server in a process of its own. Ends when it is told to, and when the benchmark is gone. */
async function serve(setup: Setup): Promise<void> {
  const server = await startServer(setup);
  process.on('message', (question: Question) => {
    if (question === 'stop') process.exit(0);
    if (question !== 'usage') server.listen(question === 'listen');
    tell(usageOf(server));
  });
  process.on('disconnect', () => process.exit(0));
  tell({ port: server.port });
}

function usageOf(server: Measured): Usage {
  const { user, system } = process.cpuUsage();
  return { cpu: user + system, runs: server.runs() };
}

function tell(message: Started | Usage): void {
  if (process.send === undefined) throw new Error('This runs as a child of bench.js only.');
  process.send(message);
}

const [kind, platform, library = 'nestjs-caching', redis] = process.argv.slice(2);
await serve({ kind: kind as ServerKind, platform: platform as Platform, library, redis });
