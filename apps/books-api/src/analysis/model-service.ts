import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { SETTINGS, type Settings } from '../settings.js';

const PROGRAM = fileURLToPath(new URL('../model-service/server.js', import.meta.url));

/** Where the model service is: at the address that was given, or in a process started and ended with this one. */
@Injectable()
export class ModelService implements OnModuleInit, OnApplicationShutdown {
  #url: string | undefined;
  #child: ChildProcess | undefined;

  constructor(@Inject(SETTINGS) { modelUrl }: Settings) {
    this.#url = modelUrl;
  }

  get url(): string {
    if (this.#url === undefined) throw new Error('The model service has not started yet');
    return this.#url;
  }

  async onModuleInit(): Promise<void> {
    if (this.#url !== undefined) return;
    // Not this process's own flags: a debugger's port or a loader is not the child's.
    const child = fork(PROGRAM, [], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child = child;
    const { url } = await listening(child);
    this.#url = url;
  }

  async onApplicationShutdown(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill();
    await exit;
  }
}

function listening(child: ChildProcess): Promise<{ url: string }> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new Error(`The model service ended with code ${code} before it listened`)),
    );
  });
}
