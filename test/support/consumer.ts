import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { ROOT } from './typescript-sources.js';

const execute = promisify(execFile);

/** Runs a program to its end. What it printed is part of the error where it fails. */
export async function run(folder: string, program: string, ...args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await execute(program, args, { cwd: folder, maxBuffer: 64 * 1024 * 1024 });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.join(' ')} failed:\n${stdout}\n${stderr}`, { cause: error });
  }
}

export interface Tarball {
  readonly file: string;
  /** Paths inside the package. */
  readonly contents: readonly string[];
}

/** Builds the library and packs it into `folder`, as it would be published. */
export async function packLibrary(folder: string): Promise<Tarball> {
  await run(ROOT, 'npm', 'run', 'build:lib');
  const listing = await run(
    ROOT,
    'npm',
    'pack',
    '--workspace=nestjs-caching',
    '--json',
    `--pack-destination=${folder}`,
  );
  const packed = Object.values(
    JSON.parse(listing) as Record<string, { filename: string; files: { path: string }[] }>,
  )[0];
  if (packed === undefined) throw new Error(`npm pack named no package: ${listing}`);
  return { file: path.join(folder, packed.filename), contents: packed.files.map((file) => file.path) };
}

export interface Consumer {
  readonly folder: string;
  readonly type: 'module' | 'commonjs';
  readonly main: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** A fresh application outside the repository, with the packed library among its dependencies. */
export async function install(
  { folder, type, main, dependencies }: Consumer,
  tarball: string,
): Promise<void> {
  await mkdir(folder);
  await cp(path.join(ROOT, 'test/package/consumer'), path.join(folder, 'src'), {
    recursive: true,
    filter: (file) => !/main-\w+\.ts$/.test(file) || path.basename(file) === `${main}.ts`,
  });
  const all = { ...dependencies, 'nestjs-caching': `file:${tarball}` };
  await writeFile(
    path.join(folder, 'package.json'),
    JSON.stringify({ type, private: true, dependencies: all }),
  );
  await writeFile(path.join(folder, 'tsconfig.json'), JSON.stringify(COMPILER));
  await run(folder, 'npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock');
}

const COMPILER = {
  compilerOptions: {
    module: 'nodenext',
    target: 'ES2023',
    strict: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    skipLibCheck: true,
    types: ['node'],
    rootDir: 'src',
    outDir: 'dist',
  },
  include: ['src'],
};

const TSC = 'node_modules/typescript/bin/tsc';

/** Compiles the application with the TypeScript it has installed. */
export async function compile({ folder }: Consumer, ...options: readonly string[]): Promise<void> {
  await run(folder, process.execPath, TSC, ...options);
}

/** What the compiler says of the package's own declarations; frameworks' are not for this project to judge. */
export async function declarationErrors({ folder }: Consumer): Promise<string[]> {
  const checked = run(folder, process.execPath, TSC, '--noEmit', '--skipLibCheck', 'false');
  const output = await checked.catch((error: unknown) => String(error));
  return output.split('\n').filter((line) => line.startsWith('node_modules/nestjs-caching/'));
}

export interface Served {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** Starts the compiled application; its first line of output says where it listens. */
export async function start({ folder, main }: Consumer): Promise<Served> {
  const child = spawn(process.execPath, [`dist/${main}.js`], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('http')) return { url: line.trim(), stop: () => stop(child) };
    complaints += `${line}\n`;
  }
  await stop(child);
  throw new Error(`${main} ended before it listened:\n${complaints}`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill();
  await ended;
}
