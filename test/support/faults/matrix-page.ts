import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

const PAGE = fileURLToPath(new URL('../../../docs/reliability.md', import.meta.url));

/** What stands between them is replaced by each full run. */
const [FROM, TO] = ['<!-- measured -->', '<!-- end of measured -->'];

/** Puts the tables of a full run into docs/reliability.md. */
export async function keepTables(tables: readonly string[]): Promise<void> {
  const page = await readFile(PAGE, 'utf8');
  const [from, to] = [page.indexOf(FROM), page.indexOf(TO)];
  if (from < 0 || to < from) throw new Error(`${PAGE} has no place for the tables`);
  const when = new Date().toISOString().slice(0, 10);
  const where = `Measured on ${when}: node ${process.version}, ${cpus().length} cores that other work shared.`;
  const text = [page.slice(0, from + FROM.length), where, ...tables, page.slice(to)].join('\n\n');
  const options = await resolveConfig(PAGE);
  await writeFile(PAGE, await format(text, { ...options, parser: 'markdown' }));
}
